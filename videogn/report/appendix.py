"""The appendix of a report: what every budget has beside its accuracies.

Each function of `PARTS` turns the results of all budgets into blocks; a new part is one function and one line there.
"""

from __future__ import annotations

from collections.abc import Callable

from videogn.report import paper
from videogn.report.class_figure import plot_classes
from videogn.report.cost import cost_table, plot_costs, where_measured
from videogn.report.curves import plot_validation_errors
from videogn.report.differences import (
    BETWEEN_NORMS,
    LONGER_CLIPS,
    SMALLER_BATCHES,
    difference_table,
    explanation,
    mcnemar_table,
)
from videogn.report.document_blocks import Block, Heading, Paragraph, Picture
from videogn.report.figures import plot_clip_numbers, plot_groups
from videogn.report.front import accuracy_figure
from videogn.report.material import Material, Materials, each_budget, example_of, figure
from videogn.report.tables import group_tables, grouped_norms


def appendix_blocks(materials: Materials) -> list[Block]:
    """Write the parts about the budgets; their figures are written to files.

    Args:
        materials: Results of all budgets; those without a finished cell have no part in it.

    Returns:
        The blocks.
    """
    finished = [material for material in materials if material.layout.finished]
    return [block for part in PARTS for block in part(finished)] if finished else []


def _below(title: str, explained: str, blocks: list[Block]) -> list[Block]:
    """A title, and what holds for all budgets, said once; nothing without blocks."""
    return [Heading(title, 3), *([Paragraph(explained)] if explained else []), *blocks] if blocks else []


def _other_accuracies(materials: Materials) -> list[Block]:
    """The lead's figure stands at the top of the page."""
    return _below("Accuracy against batch size", "", each_budget(materials[1:], accuracy_figure))


def _groups(materials: Materials) -> list[Block]:
    return _below("Groups", "", each_budget(materials, _groups_of))


def _groups_of(material: Material) -> list[Block]:
    layout = material.layout
    blocks: list[Block] = []
    pictures = plot_groups(layout, material.figure("groups"))
    for picture, table, (name, option, _) in zip(pictures, group_tables(layout), grouped_norms(layout), strict=True):
        readable = option.replace("_", " ")
        caption = f"Top-1 accuracy of {name.upper()} against {readable}. The vertical axis does not begin at 0."
        blocks += [table, Picture(picture, caption, f"{caption} The numbers are in the table before it.")]
        blocks += [paper.table_3(option)] if name == "gn" else []
    return blocks


def _classes(materials: Materials) -> list[Block]:
    explained = (
        "Top-1 accuracy of each class over its videos that decode, mean over seeds; the class at "
        "the top has the largest differences between the columns."
    )
    return _below("Classes", explained, each_budget(materials, _classes_of))


def _classes_of(material: Material) -> list[Block]:
    picture, caption = plot_classes(material.layout, material.figure("classes"))
    return figure(picture, caption, "Accuracy of each class, a column for each setting and norm, as colours.")


def _differences(materials: Materials) -> list[Block]:
    explained = explanation([one for material in materials for one in material.differences.all])
    return _below("Paired differences", explained, each_budget(materials, _differences_of))


def _differences_of(material: Material) -> list[Block]:
    layout, found = material.layout, material.differences
    blocks: list[Block] = []
    if any(one.contrast.over_videos is None for one in found.all):
        blocks.append(
            Paragraph("A dash: a cell's clip file is missing, or the cells were not tested on the same videos.")
        )
    norms = [one for one in found.norms if one.row in layout.new_rows]
    if norms:
        blocks.append(difference_table(layout, norms, BETWEEN_NORMS))
        tests = mcnemar_table(layout, norms)
        blocks += [] if tests is None else [tests]
    blocks += [difference_table(layout, found.batches, SMALLER_BATCHES)] if found.batches else []
    return blocks + ([difference_table(layout, found.clips, LONGER_CLIPS)] if found.clips else [])


def _curves(materials: Materials) -> list[Block]:
    explained = (
        f"Validation error of one {_view(materials)} during training, as in the paper's Figure 7.{_seeds(materials)} "
        "Where there are many validations, markers stand at some of them only."
    )
    return _below("During training", explained, each_budget(materials, _curves_of))


def _view(materials: Materials) -> str:
    """What a validation sees: an image, or one clip of each video."""
    return "view an image" if example_of(materials) == "image" else "clip a video"


def _curves_of(material: Material) -> list[Block]:
    layout = material.layout
    caption = f"Validation error during training: {layout.section.title}."
    return figure(plot_validation_errors(layout, material.figure("validation_error")), caption, caption)


def _clip_numbers(materials: Materials) -> list[Block]:
    starts = {result.test["protocol"]["starts"] for material in materials for result in material.layout.finished}
    same = (
        "With this study's protocol they are the very clips of an n-clip test where n divides V."
        if starts <= {"nonlocal", "slowfast"}
        else "They are not the clips that an n-clip test would take."
    )
    explained = (
        "Top-1 accuracy with fewer test clips, from the saved probabilities of each clip: for n of V clips, the clips "
        f"floor(j V / n), j = 0 .. n-1, spread evenly, averaged. {same}{_seeds(materials)} The vertical axis does not "
        "begin at 0."
    )
    return _below("Number of test clips", explained, each_budget(materials, _clip_numbers_of))


def _clip_numbers_of(material: Material) -> list[Block]:
    layout = material.layout
    caption = f"Accuracy against the number of test clips, a panel for each setting: {layout.section.title}."
    picture = plot_clip_numbers(layout, material.styles, material.files, material.figure("test_clips"))
    return figure(picture, caption, caption)


def _costs(materials: Materials) -> list[Block]:
    measured = where_measured(result for material in materials for result in material.layout.finished)
    explained = (
        f"Planned: tensors of a training step. Measured: {measured}. Training loss: mean of those logged since the "
        "validation before the last, in the whole training where there was one validation. Times of cells that ran "
        "side by side include their waiting for one another. In the figures hollow marks are planned, filled ones "
        "measured, a dot for each seed."
    )
    return _below("Memory and time", explained, each_budget(materials, _costs_of))


def _costs_of(material: Material) -> list[Block]:
    layout = material.layout
    caption = f"Peak memory and training time: {layout.section.title}."
    picture = plot_costs(layout, material.styles, material.figure("cost"))
    return [cost_table(layout), *figure(picture, caption, f"{caption} The means are in the table above.")]


def _seeds(materials: Materials) -> str:
    several = any(len(material.layout.seeds) > 1 for material in materials)
    return " Mean over seeds; light lines are the seeds." if several else ""


#: Parts of the appendix in the order of the page.
PARTS: tuple[Callable[[Materials], list[Block]], ...] = (
    _other_accuracies,
    _groups,
    _classes,
    _differences,
    _curves,
    _clip_numbers,
    _costs,
)
