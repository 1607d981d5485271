"""Software renderer: parts in space, a camera and a background to frames.

Parts are drawn as polygons at twice the size and averaged down: much cheaper than a distance field, and as smooth.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

__all__ = ["Camera", "Colour", "Part", "Place", "camera_effects", "draw"]

Colour = tuple[int, int, int]

SUPERSAMPLE = 2
DISTANCE = 8.0  # metres from the camera to the centre of the scene
ARC = np.linspace(-np.pi / 2, np.pi / 2, 7)  # half a round end


@dataclass(frozen=True)
class Part:
    """A chain of capsules (radius > 0; one point makes a ball) or a filled polygon (radius 0)."""

    points: np.ndarray  # (T, V, 3) metres: x right, y up, z towards the camera at yaw 0
    radius: float  # metres
    colour: Colour
    nearer: float = 0.0  # metres added to its depth for the order of drawing


@dataclass(frozen=True)
class Camera:
    """A camera turned about the vertical and tilted down, which may shake."""

    yaw: float  # radians
    elevation: float  # radians
    scale: float  # of the frame's height a metre, at the centre's distance
    shift: tuple[float, float]  # of the frame's height: right, down
    shake: np.ndarray  # (T, 2) of the frame's height: right, down

    def view(self, points: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Points (..., 3) in camera axes: right, up, towards the camera; metres from the centre."""
        x, y, z = np.moveaxis(points - centre, -1, 0)
        depth = z * np.cos(self.yaw) - x * np.sin(self.yaw)
        right = x * np.cos(self.yaw) + z * np.sin(self.yaw)
        up = y * np.cos(self.elevation) - depth * np.sin(self.elevation)
        near = y * np.sin(self.elevation) + depth * np.cos(self.elevation)
        return np.stack([right, up, near], axis=-1)


@dataclass(frozen=True)
class Place:
    """The background of a scene: a dim wall and floor with soft texture, and still boxes."""

    texture: np.ndarray  # (12, 12, 3) grey levels
    boxes: np.ndarray  # (N, 4) left, top, width, height of the picture
    colours: np.ndarray  # (N, 3)

    @classmethod
    def drawn(cls, rng: np.random.Generator, contrast: float, boxes: int, brightest: float = 60) -> "Place":
        """A random background, its wall and floor at most `brightest` grey levels."""
        tints = rng.uniform(10, brightest, (2, 3))  # wall, floor
        rows = np.where(np.arange(12) < rng.integers(7, 11), 0, 1)
        texture = tints[rows][:, None] + contrast * rng.normal(0, 60, (12, 12, 3))
        corners = np.hstack([rng.uniform(0, 1, (boxes, 2)), rng.uniform(0.05, 0.2, (boxes, 2))])
        return cls(texture, corners, rng.integers(15, 90, (boxes, 3)))

    def mixed_with(self, other: "Place", weight: float) -> "Place":
        """This background with its texture mixed with another's, and the boxes of both."""
        return Place(
            weight * self.texture + (1 - weight) * other.texture,
            np.vstack([self.boxes, other.boxes]),
            np.vstack([self.colours, other.colours]),
        )

    def picture(self, height: int, width: int) -> Image.Image:
        """The background as an image, half as large again as the frame, for shake."""
        size = (SUPERSAMPLE * (width + width // 2), SUPERSAMPLE * (height + height // 2))
        coarse = Image.fromarray(self.texture.clip(0, 130).astype(np.uint8))
        image = coarse.resize(size, Image.Resampling.BICUBIC)
        pen = ImageDraw.Draw(image)
        for (left, top, wide, high), colour in zip(self.boxes * [*size, *size], self.colours.tolist(), strict=True):
            pen.rectangle((left, top, left + wide, top + high), fill=tuple(colour))
        return image


def _capsules(ends: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Outlines (T, K, 28) of capsules with ends (T, K, 2, 2) and radii (T, K, 2), all in pixels, as x, y, x, y, ..."""
    along = ends[:, :, 1] - ends[:, :, 0]
    angle = np.arctan2(along[..., 1], along[..., 0])[..., None]  # (T, K, 1)
    far, near = angle + ARC, angle + np.pi + ARC  # (T, K, 7)
    rim = np.stack([np.cos([near, far]), np.sin([near, far])], axis=-1)  # (2, T, K, 7, 2)
    outline = np.moveaxis(rim, 0, 2) * radii[..., None, None] + ends[:, :, :, None]  # (T, K, 2, 7, 2)
    return outline.reshape(*outline.shape[:2], -1)


def _shapes(
    parts: list[Part], camera: Camera, centre: np.ndarray, height: int, width: int
) -> tuple[list[list[list[float]]], np.ndarray, np.ndarray]:
    """Outlines [T][K] in pixels, depths (T, K) in metres and colours (T, K, 3): capsules first, then polygons."""
    size = SUPERSAMPLE * height
    origin = SUPERSAMPLE * np.array([width, height]) / 2 + size * np.asarray(camera.shift)  # (2,)
    origin = (origin + size * camera.shake)[:, None]  # (T, 1, 2)

    def project(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        viewed = camera.view(points, centre)  # (T, V, 3)
        pixels = size * camera.scale * DISTANCE / (DISTANCE - viewed[..., 2]).clip(1.0)  # (T, V) a metre
        return origin + viewed[..., :2] * pixels[..., None] * (1, -1), pixels, viewed[..., 2]

    ends, radii, outlines, depths, colours = [], [], [], [], []
    for part in sorted(parts, key=lambda part: part.radius == 0):
        flat, pixels, depth = project(part.points)
        if part.radius == 0:
            outlines.append(flat.reshape(len(flat), -1))
            depths.append(depth.mean(1) + part.nearer)
            colours.append(part.colour)
        for i in range(max(part.points.shape[1] - 1, 1)) if part.radius else ():
            pair = [i, min(i + 1, part.points.shape[1] - 1)]
            ends.append(flat[:, pair])
            radii.append(pixels[:, pair] * part.radius)
            depths.append(depth[:, pair].mean(1) + part.nearer)
            colours.append(part.colour)
    rounds = _capsules(np.stack(ends, 1), np.stack(radii, 1)) if ends else np.zeros((len(origin), 0, 28))
    flats = [outline.tolist() for outline in outlines]
    lines = [row + [flat[t] for flat in flats] for t, row in enumerate(rounds.tolist())]
    depth = np.stack(depths, 1)  # (T, K)
    shade = (1 + 0.35 * depth).clip(0.8, 1.1)[..., None]  # what is behind is darker: left and right limbs differ
    return lines, depth, (shade * np.array(colours)).clip(0, 255).astype(int)


def draw(
    parts: list[Part], camera: Camera, centre: np.ndarray, place: Place, height: int, width: int, blur: float = 0.0
) -> np.ndarray:
    """Frames (T, H, W, 3) uint8 of the parts, the farther ones drawn first; `blur` in pixels."""
    backdrop = place.picture(height, width)
    lines, depth, colours = _shapes(parts, camera, centre, height, width)
    order = np.argsort(depth, axis=1, kind="stable").tolist()
    fills = [list(map(tuple, row)) for row in colours.tolist()]
    size = (SUPERSAMPLE * width, SUPERSAMPLE * height)
    corner = (np.array(backdrop.size) - size) / 2
    frames = np.empty((len(lines), height, width, 3), np.uint8)
    for t, shapes in enumerate(lines):
        left, top = np.round(corner - size[1] * camera.shake[t]).astype(int).tolist()
        image = backdrop.crop((left, top, left + size[0], top + size[1]))
        pen = ImageDraw.Draw(image)
        for k in order[t]:
            pen.polygon(shapes[k], fill=fills[t][k])
        image = image.reduce(SUPERSAMPLE)
        frames[t] = np.asarray(image.filter(ImageFilter.GaussianBlur(blur)) if blur else image)
    return frames


def camera_effects(
    frames: np.ndarray, rng: np.random.Generator, tint: tuple[float, float, float], light: float, grain: float
) -> np.ndarray:
    """Frames (T, H, W, 3) uint8 with white balance, brightness and sensor noise."""
    recorded = frames * (light * np.array(tint, np.float32)).astype(np.float32)
    if grain:
        recorded += np.float32(grain) * rng.standard_normal(recorded.shape, np.float32)
    return recorded.clip(0, 255).astype(np.uint8)
