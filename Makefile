# Two commands: `make setup`, then `make shift`. Everything stays inside this folder.
# Another Python: `make setup PYTHON=/path/to/python3.12`. Another index: UV_DEFAULT_INDEX=https://…

.PHONY: setup shift up test long lint clean

setup: ## bring .venv up to date; a second run finds nothing to do
	@sh deployments/bootstrap.sh && echo "Ready: .venv/bin/thirdshift. Next: make shift, or make up."

shift: ## run one night shift now and write its report
	@sh deployments/bootstrap.sh && .venv/bin/thirdshift shift

up: ## start everything and keep it running
	@sh deployments/bootstrap.sh && .venv/bin/thirdshift up

test: lint ## lint, then every test
	@.venv/bin/pytest

long: ## what takes minutes: processes started, killed and stopped while runs go on; the whole path
	@sh deployments/bootstrap.sh dev
	@.venv/bin/pytest -m long --reruns 1

lint:
	@sh deployments/bootstrap.sh dev
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy

clean: ## remove what setup and the checks made; never the home folder
	@rm -rf .venv .uv .mypy_cache .pytest_cache .ruff_cache .hypothesis
