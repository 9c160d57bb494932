"""Small data sets of images, written as image files in class folders: an image is a clip of one frame."""

from videogn.data.images.writing import write_image_set

__all__ = ["write_image_set"]
