# make ask Q="…"   answer one question (sets everything up on the first call)
# make test        ruff, mypy, pytest
# make setup       everything for development
# make eval      the committed test splits, with floors
# make bench       tokens per second: answering and training, against the plain libraries
# make data        vectors, router, crisis classifier and the choice of vetted replies again, after an edit of data/
# make dialogues   the splits of data/counseling/ again from its drafts

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: ask test setup eval bench data dialogues clean

# Q goes through the environment, so that a question may hold quotes.
ask: .venv/core
	@$(BIN)/jindam ask "$$Q"

test: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest

setup: .venv/dev

eval: .venv/dev
	$(BIN)/jindam eval router data/routing/test.jsonl --floor 0.94
	$(BIN)/jindam eval retrieval data/retrieval/test.jsonl --floor 0.87
	$(BIN)/jindam eval safety data/safety/test.jsonl --floor 0.96 --ceiling 0.06
	$(BIN)/jindam eval safety data/safety/ordinary.jsonl --ceiling 0.012

bench: .venv/dev
	$(BIN)/python -m benchmarks.chat_throughput
	$(BIN)/python -m benchmarks.finetune_throughput

data: .venv/dev
	$(BIN)/python -m backend.embedding.shipped_vectors
	$(BIN)/python -m backend.models.router
	$(BIN)/python -m backend.models.risk_classifier
	$(BIN)/python -m backend.models.vetted_replies

dialogues: .venv/dev
	$(BIN)/python -m backend.embedding.make_finetune_dataset data/counseling/drafts --out data/counseling --force \
		--keep topic --keep audience --keep situation --keep risk --keep fits --keep also --validation i --test j --test k

clean:
	rm -rf .venv

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Jindam needs Python 3.11 or newer. Name one: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv .venv

# A stamp a step, so that a second call installs nothing again.
.venv/core: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing Jindam (once) …"
	@$(PIP) -e .
	@touch $@

.venv/dev: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing what tests and development need (once) …"
	@$(PIP) torch==2.13.0
	@$(PIP) -e '.[dev]'
	@touch $@ .venv/core
