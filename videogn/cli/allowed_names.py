"""What a configuration of fit, validate or test may name: jsonargparse imports nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from jsonargparse import set_parsing_settings

from videogn.trust import KNOWN, is_trusted


@contextmanager
def only_names_of(trusted: Collection[str]) -> Iterator[None]:
    """Let values name classes and functions of `KNOWN` and of what is trusted, and no others.

    A name is looked at twice, as it is written and where the thing is defined: `torch.nn.modules.module.warnings.warn`
    is what it is. Where an option takes any value at all, no class is made of it.

    Args:
        trusted: Packages, modules or full paths.
    """
    own = [name.replace(":", ".") for name in trusted]
    set_parsing_settings(
        instantiate_subclass_spec_in_any=False,
        import_path_denylist=["*"],
        import_path_allowlist=[*KNOWN, *own],
    )
    try:
        yield
    finally:  # the settings are the process's: what one command trusts is nothing to the next
        set_parsing_settings(import_path_denylist=[name for name in own if not is_trusted(name, KNOWN)])
