"""The registry of readers."""

from typing import get_args

import pytest

from multitrain.config.scale import Dataset
from multitrain.datasets.formats.readers import reader, readers


def test_a_scale_names_the_registered_readers():
    assert sorted(readers()) == sorted(get_args(Dataset.model_fields["reader"].annotation))


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match=r"^reader 'mit' is registered twice$"):
        reader("mit")(readers()["kinetics"].read)
