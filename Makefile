# Two commands for a machine with Python 3.11+ and make: `make demo` and `make test`. For those who release:
# `make lock`, `make audit` and `make test-lowest`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Lock files with the hashes of all files of every package, for all platforms: what a container and the development need.
LOCKS := requirements/package.txt requirements/dev.txt
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--constraints $(VENV)/tested.txt pyproject.toml requirements/build.in
# The environment of the lowest supported versions.
LOWEST := .venv-lowest
# Tests that use every dependency, some minutes of one core.
LOWEST_TESTS := tests/norm tests/evaluation $(addprefix tests/test_,extensions.py trust.py private_apis.py) \
	$(addprefix tests/models/test_,i3d.py checkpoint_file.py) \
	$(addprefix tests/exporting/test_,export.py) $(addprefix tests/engine_files/test_,opening.py pt2_check.py) \
	$(addprefix tests/inference/test_,predictor.py pipeline.py pretrained.py light_import.py) \
	$(addprefix tests/data/test_,dataset.py dividing.py video_index.py shards.py loader.py) \
	$(addprefix tests/video/test_,clips.py crops.py frame_table.py containers.py decode.py image_folder.py) \
	$(addprefix tests/training/test_,task.py callbacks.py augmentation.py weight_average.py) \
	$(addprefix tests/study/test_,grid.py planning.py) $(addprefix tests/report/test_,tables.py page_of_test.py) \
	tests/pictures/test_overlay.py $(addprefix tests/cli/test_,parsing.py allowed_names.py training.py predict.py)

.PHONY: demo test test-lowest lint types install lock audit clean

demo: install
	$(BIN)/videogn demo

# Two at once, each in one thread; tests of one file stay together, for what they share.
test: lint types
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

install: $(VENV)/installed

# The marker is written last, so that an interrupted installation is done again.
$(VENV)/installed: pyproject.toml setup.py
	@echo "Installing into $(VENV); the first time this downloads several GB (torch)."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

# Pins the versions that are installed here: run it after `make test`.
lock: install
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/python -m pip freeze --exclude-editable > $(VENV)/tested.txt
	$(COMPILE) --output-file requirements/package.txt
	$(COMPILE) --extra dev --output-file requirements/dev.txt

# Status 3 of the script: the service could not be asked, which is not to be taken for "none known".
audit: install
	$(BIN)/python -m pip install --quiet pip-audit
	$(BIN)/python scripts/audit.py $(LOCKS)

# What pyproject.toml promises of old versions: the lowest of each dependency, and a part of the tests that needs no more.
test-lowest: install
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv venv --quiet --clear --python $(PYTHON) $(LOWEST)
	$(BIN)/uv pip install --quiet --python $(LOWEST) --resolution lowest-direct --editable . -r requirements/lowest.in
	$(LOWEST)/bin/python -m pytest --quiet -m "not slow" $(LOWEST_TESTS)

clean:
	rm -rf $(VENV) $(LOWEST) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
