"""The same video gives the same clip, byte for byte: else a training could not be repeated from the archives."""

import hashlib

import pytest

from multitrain.common.seeding import generator
from multitrain.config.config_files import load_scale
from multitrain.datasets.transcode.encode_clip import transcode
from multitrain.synth.rendering.encode import encode
from multitrain.synth.rendering.renderer import Size, clip
from multitrain.synth.world import spec


@pytest.mark.parametrize("label", range(4))
def test_a_video_of_the_world_is_transcoded_to_the_same_bytes_each_time(label, tmp_path):
    source, target = tmp_path / "source.mp4", tmp_path / "target.mp4"
    mini = load_scale("mini")
    source.write_bytes(encode(clip(spec("mit", mini.world), label, generator(label), Size()), 12.0, ".mp4"))
    seen = set()
    for _ in range(12):
        transcode(source, target, mini.datasets["mit"].transcode)
        seen.add(hashlib.sha256(target.read_bytes()).hexdigest())
    assert len(seen) == 1
