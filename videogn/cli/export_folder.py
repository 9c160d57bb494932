"""videogn export --format hf: a folder in the Hugging Face layout, and from there to the Hub."""

from __future__ import annotations

from collections.abc import Collection

from videogn.source_names import repository
from videogn.system.displayable import one_line


def export_folder(
    source: str, folder: str, *, results: str | None, push: str | None, public: bool, trust: Collection[str]
) -> None:
    """Write the folder, push it if that is asked for, and say what has been done.

    Args:
        source: Source of the network.
        folder: Folder to write.
        results: results.json of the network's test, or its folder. None finds the one beside the checkpoint.
        push: Repository on the Hub to push to, or None.
        public: Whether a repository that is made is public.
        trust: Packages that may be imported where the source names a norm or a network from outside videogn.
    """
    if push is not None:
        repository(push)  # before the seconds that the rest takes
    from videogn.inference.loading import load_network
    from videogn.inference.pretrained import push_pretrained, save_pretrained

    net, about = load_network(source, trust=trust)
    written = save_pretrained(
        net, about, folder, source=source, results=results, name=push.rpartition("/")[2] if push else None
    )
    print(
        f"{one_line(written)}: model.safetensors, config.json, preprocessor_config.json, README.md; "
        "the licence is yours to add"
    )
    if push is not None:
        print(f"pushed to {push_pretrained(written, push, private=not public)}")
