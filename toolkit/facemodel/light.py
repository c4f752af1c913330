"""Spherical-harmonics light: nine bands per colour channel, as Deng et al. use them.

The irradiance of a Lambertian surface under distant light is close to a quadratic form in its
normal (Ramamoorthi and Hanrahan, SIGGRAPH 2001). Colour = albedo · (Y(normal) · light), where the
27 stored numbers are offsets from a white ambient light of 0.8 in band 0.

Normals are in Deng et al.'s axes, x right, y up, z to the viewer, after the head's rotation: the
light stays with the camera. `camera.flip_axes` turns normals of our camera frame into these.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

NUM_BANDS = 9
NUM_COEFFICIENTS = 3 * NUM_BANDS

AMBIENT = 0.8
"""Added to band 0 of every channel: zero coefficients are white light from everywhere."""

# Lambertian kernel (a) and harmonic normalisation (c) of orders 0, 1, 2; folded into products.
_ORDER_0 = np.pi * (1 / np.sqrt(4 * np.pi))
_ORDER_1 = (2 * np.pi / np.sqrt(3)) * (np.sqrt(3) / np.sqrt(4 * np.pi))
_ORDER_2 = (2 * np.pi / np.sqrt(8)) * (3 * np.sqrt(5) / np.sqrt(12 * np.pi))


def evaluate_basis(normals: npt.ArrayLike) -> Floats:
    """The nine harmonics at unit normals (…, V, 3): (…, V, 9)."""
    normals = np.asarray(normals, dtype=np.float64)
    x, y, z = normals[..., 0], normals[..., 1], normals[..., 2]
    return np.stack(
        [
            np.full(x.shape, _ORDER_0),
            -_ORDER_1 * y,
            _ORDER_1 * z,
            -_ORDER_1 * x,
            _ORDER_2 * x * y,
            -_ORDER_2 * y * z,
            _ORDER_2 / (2 * np.sqrt(3)) * (3 * z * z - 1),
            -_ORDER_2 * x * z,
            _ORDER_2 / 2 * (x * x - y * y),
        ],
        axis=-1,
    )


def shade(normals: npt.ArrayLike, illumination: npt.ArrayLike) -> Floats:
    """Light that falls on each vertex: what its albedo is multiplied by.

    Args:
        normals: (…, V, 3) unit, x right, y up, z to the viewer, rotated with the head.
        illumination: (…, 27), nine bands of red, then green, then blue.

    Returns:
        (…, V, 3) factors per channel, not clipped.
    """
    illumination = np.asarray(illumination, dtype=np.float64)
    if illumination.shape[-1] != NUM_COEFFICIENTS:
        raise ValueError(f"illumination has {illumination.shape[-1]} numbers, not 27")
    light = illumination.reshape(*illumination.shape[:-1], 3, NUM_BANDS).copy()
    light[..., 0] += AMBIENT
    return np.asarray(evaluate_basis(normals) @ np.swapaxes(light, -1, -2))


def apply_light(
    albedo: npt.ArrayLike, normals: npt.ArrayLike, illumination: npt.ArrayLike
) -> Floats:
    """Colours (…, V, 3) of vertices with albedo (…, V, 3), 0 to 255, not clipped; see `shade`."""
    return np.asarray(np.asarray(albedo, dtype=np.float64) * shade(normals, illumination))
