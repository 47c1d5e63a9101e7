# Every target is a script that can be run by itself; setup, run, test, smoke, bench and reliability need root.
.PHONY: setup run test smoke bench reliability check

setup:
	scripts/setup

run: setup
	scripts/run

test:
	scripts/setup dev
	scripts/test

smoke: setup
	scripts/smoke

bench:
	scripts/setup bench
	.venv/bin/python -m bench --keep

reliability:
	scripts/setup dev
	.venv/bin/pytest -n 0 --long --timeout 900 tests/integration/reliability

check:
	scripts/check
