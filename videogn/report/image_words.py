"""The fixed words of a page, said of images: in a test of images each video is one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from videogn.report.document_blocks import Block, Bullets, Heading, Paragraph, Picture, Table

_VIDEO = re.compile(r"\b(?:(?P<article>[Aa]) )?(?P<initial>[Vv])ideo(?P<plural>s?)\b")


def of_images(blocks: Iterable[Block], names: Iterable[str] = ()) -> list[Block]:
    """Say "image" for "video" in headings, sentences, captions and titles of columns.

    Left alone are the title of the page, cells of tables, galleries, code, and what follows the colon of an item of a
    list: they may hold names of files.

    Args:
        blocks: Blocks of a page.
        names: Names that sentences may hold, of classes for instance. If one is of videos, nothing changes.
    """
    blocks = list(blocks)
    return blocks if any(map(_VIDEO.search, names)) else list(map(_of_images, blocks))


def _of_images(block: Block) -> Block:
    match block:
        case Heading(level=1):
            return block
        case Heading() | Paragraph():
            return replace(block, text=_said(block.text))
        case Bullets():
            return replace(block, items=[_said_before_colon(item) for item in block.items])
        case Table():
            return replace(block, head=list(map(_said, block.head)), caption=_said(block.caption))
        case Picture():
            return replace(block, caption=_said(block.caption), alt=_said(block.alt))
    return block


def _said_before_colon(item: str) -> str:
    label, colon, rest = item.partition(": ")
    return f"{_said(label)}{colon}{rest}"


def _said(text: str) -> str:
    return _VIDEO.sub(_image, text)


def _image(found: re.Match[str]) -> str:
    article = f"{found['article']}n " if found["article"] else ""
    return f"{article}{'I' if found['initial'] == 'V' else 'i'}mage{found['plural']}"
