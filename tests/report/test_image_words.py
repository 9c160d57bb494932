"""Pages of tests of images: their fixed words, and nothing that may be a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from videogn.report.document_blocks import Bullets, Code, Heading, Paragraph, Picture, Table
from videogn.report.image_words import of_images

PICTURE = Path("a.png")


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (Heading("Videos to look at"), Heading("Images to look at")),
        (Heading("From video to image", 1), Heading("From video to image", 1)),
        (
            Paragraph("A video without scores, or a video of two videos: no video_1."),
            Paragraph("An image without scores, or an image of two images: no video_1."),
        ),
        (
            Bullets(["Videos: my video/val.", "SHA-256 of the list of test videos: ab.", "Seeds: 0."]),
            Bullets(["Images: my video/val.", "SHA-256 of the list of test images: ab.", "Seeds: 0."]),
        ),
        (
            Table(["class", "videos"], [["a video", "2"]], "Over 2 videos."),
            Table(["class", "images"], [["a video", "2"]], "Over 2 images."),
        ),
        (
            Picture(PICTURE, "Errors over videos.", "Video after video."),
            Picture(PICTURE, "Errors over images.", "Image after image."),
        ),
        (Code("cp video.mp4 video"), Code("cp video.mp4 video")),
    ],
)
def test_words(block, said):
    assert of_images([block], names=["dog"]) == [said]


def test_a_class_that_is_called_so_leaves_all_as_it_is():
    blocks = [Paragraph("Best class: video game, of 3 videos.")]
    assert of_images(blocks, names=["dog", "video game"]) == blocks
