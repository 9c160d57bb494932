"""`python -m videogn` is the `videogn` command."""

from videogn.system.module_path import leave_out_working_directory

if __name__ == "__main__":
    leave_out_working_directory()  # before anything else is imported

    from videogn.cli import command

    command()
