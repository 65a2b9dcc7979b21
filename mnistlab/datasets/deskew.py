r"""Digits lean by hand; setting each upright takes out a variation a linear model cannot.

Taking pixel (x, y) of an image as a mass I(x, y), with m the total mass:

    mean_x = sum x I / m                      mean_y = sum y I / m
    cov_xy = sum (x - mean_x)(y - mean_y) I / m     var_yy = sum (y - mean_y)^2 I / m
    alpha  = cov_xy / var_yy

alpha is how far the stroke's line of regression moves sideways for each row down. The shear
x' = x - alpha (y - mean_y) makes cov_xy zero, and the mass is then moved to the image's centre.
The picture is read backwards: output pixel (x, y), measured from the centre (c_x, c_y), shows

    x_in = mean_x + (x - c_x) + alpha (y - c_y)     y_in = mean_y + (y - c_y)

interpolated linearly between the four pixels around it; outside of the image all is 0.
y_in is the same along an output row, and x_in moves along it in steps of 1, so the bilinear
interpolation is exactly two linear ones: a shift of whole columns, then a shift of each row.

LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition"
(1998), section III, report the linear classifier with deskewed digits: 8.4 % error against 12 %.

Shapes: N images of H rows (index y) and W columns (index x).
"""

import numpy as np
from numpy.typing import NDArray

# Raised whenever the output could change, so that copies in caches are made anew.
VERSION = 1

# Images worked on together: keeps the memory small. 50,000 images took 1.1 s on 2 cores, and the
# same within a tenth with anything from 50 to 1,000.
_CHUNK = 500


def deskew(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the images (N, H, W) uint8, each set upright and centred; blank ones stay blank."""
    upright = np.empty(images.shape, np.uint8)
    for at in range(0, len(images), _CHUNK):
        upright[at : at + _CHUNK] = _deskew_chunk(images[at : at + _CHUNK])
    return upright


def slant(images: NDArray[np.uint8]) -> tuple[NDArray[np.float64], ...]:
    """Return alpha, mean_x and mean_y, each (N,), of images (N, H, W).

    A blank image counts as centred and upright; one with all its mass in a row as upright.
    """
    height, width = images.shape[1:]
    x, y = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
    pixels = images.astype(np.float64)
    row_mass = pixels.sum(axis=2)  # (N, H)
    row_moment = pixels @ x  # (N, H): sum over x of x I
    mass = row_mass.sum(axis=1)
    blank = mass == 0
    mass[blank] = 1
    mean_x = np.where(blank, (width - 1) / 2, row_moment.sum(axis=1) / mass)
    mean_y = np.where(blank, (height - 1) / 2, row_mass @ y / mass)
    below = y - mean_y[:, None]  # (N, H)
    cov_xy = (below * (row_moment - mean_x[:, None] * row_mass)).sum(axis=1)
    var_yy = (below**2 * row_mass).sum(axis=1)
    flat = var_yy == 0
    return np.where(flat, 0.0, cov_xy / np.where(flat, 1.0, var_yy)), mean_x, mean_y


def _deskew_chunk(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = images.shape[1:]
    alpha, mean_x, mean_y = slant(images)
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    pixels = images.astype(np.float32)
    rows = _shift(pixels.transpose(0, 2, 1), (mean_y - centre_y)[:, None]).transpose(0, 2, 1)
    sideways = (mean_x - centre_x)[:, None] + alpha[:, None] * (np.arange(height) - centre_y)
    return np.rint(_shift(rows, sideways)).astype(np.uint8)


def _shift(lines: NDArray[np.float32], by: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return `lines` (N, L, M) read at m + by along the last axis; `by` broadcasts to (N, L)."""
    length = lines.shape[2]
    whole = np.floor(by)
    part = (by - whole).astype(np.float32)[..., None]
    # Two zeros on each side of the line: what lies outside of it is looked up there, in pairs.
    padded = np.zeros((*lines.shape[:2], length + 4), np.float32)
    padded[:, :, 2:-2] = lines
    left = np.arange(2, length + 2) + whole[..., None].astype(np.intp)
    left = np.broadcast_to(np.clip(left, 0, length + 2), lines.shape)
    here: NDArray[np.float32] = np.take_along_axis(padded, left, axis=2)
    there = np.take_along_axis(padded, left + 1, axis=2)
    there -= here
    there *= part
    here += there
    return here
