PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
TEST_WORKERS ?= 3  # more than two cores keep busy: tests wait for processes that they start and kill
SECONDS ?= 60
STUDY := studies/quickstart.toml
OUT := studies/quickstart

.PHONY: quickstart test lint docs reference stress fuzz clean

# What is installed is remembered by a stamp; a changed pyproject.toml or constraints.txt installs again.
$(VENV)/stamp-%: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$*]'
	@touch $@

# Search, confirm, report and export on the embedded world. Run again: it continues and repeats nothing.
quickstart: $(VENV)/stamp-dashboard
	@rm -rf $(OUT)/export
	$(BIN)/realingo search $(STUDY) --backend process --workers $(WORKERS)
	$(BIN)/realingo confirm $(STUDY) --backend process --workers $(WORKERS)
	$(BIN)/realingo report $(STUDY)
	$(BIN)/realingo export $(STUDY) -o $(OUT)/export

test: $(VENV)/stamp-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(TEST_WORKERS) --dist worksteal

lint: $(VENV)/stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The documentation as pages, in build/site; the picture of the packages is drawn anew. A broken link is an error.
docs: $(VENV)/stamp-docs
	$(BIN)/python docs/pictures/floor_plan.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# docs/study-file.md and docs/study.schema.json, from the settings themselves.
reference: $(VENV)/stamp-test
	$(BIN)/python -m search.config.reference docs

# Kills at random moments, and load: what studies/reliability/README.md reports. One to two hours on two cores; stress.py --resume goes on.
stress: $(VENV)/stamp-test
	$(BIN)/python studies/reliability/stress.py
	$(BIN)/python studies/reliability/load.py

# Files of any bytes for every reader, and text that is written and read again, steered by coverage. What ends it is left as a file crash-….
fuzz: $(VENV)/stamp-fuzz
	$(BIN)/python studies/reliability/fuzz.py -max_total_time=$(SECONDS)

clean:
	rm -rf $(VENV) $(OUT) studies/quickstart.db
