"""The former name of `multitrain.inference`: `multitrain.use.predict` and `multitrain.use.frames` stay importable."""

import sys

from multitrain.inference import predict, video_frames

sys.modules[f"{__name__}.predict"] = predict
sys.modules[f"{__name__}.frames"] = video_frames
frames = video_frames
