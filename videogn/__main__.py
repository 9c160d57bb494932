"""`python -m videogn` is the `videogn` command."""

from videogn.cli import main

if __name__ == "__main__":
    main()
