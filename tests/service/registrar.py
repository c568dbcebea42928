"""Registrar: a real MLflow on SQLite, filled as training fills it, in a process of its own.

Run as `python -m tests.service.registrar HOME`; reads one JSON object per line, and answers each with a line.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]


class Registrar:
    """Registers artifacts and moves aliases in the MLflow of a home."""

    def __init__(self, home: Path) -> None:
        """Start the process."""
        self.path = home / "mlflow.db"
        self.uri = f"sqlite:///{self.path}"
        self._process = subprocess.Popen(  # noqa: S603 (this file)
            [sys.executable, "-m", "tests.service.registrar", str(home)],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def register(self, name: str, artifact: Path, alias: str | None = None) -> str:
        """Log an artifact as training does, register it and return its version."""
        version = str(self._call(name=name, artifact=str(artifact)))
        if alias:
            self.point(name, alias, version)
        return version

    def point(self, name: str, alias: str, version: str) -> None:
        """Point an alias to a version."""
        self._call(name=name, alias=alias, version=version)

    def _call(self, **request: str) -> Any:  # noqa: ANN401 (JSON)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def _register(name: str, artifact: str, artifacts: Path) -> str:
    import mlflow

    if mlflow.get_experiment_by_name(name) is None:
        mlflow.create_experiment(name, artifact_location=artifacts.as_uri())
    mlflow.set_experiment(name)
    with mlflow.start_run():
        logged = mlflow.pyfunc.log_model(
            name="model",
            loader_module="models.artifact",
            data_path=artifact,
            code_paths=[str(ROOT / "models")],
            pip_requirements=["numpy"],
            registered_model_name=name,
        )
    return str(logged.registered_model_version)


def main() -> None:
    """Execute each line of standard input."""
    import mlflow

    home = Path(sys.argv[1])
    home.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
    for line in sys.stdin:
        request = json.loads(line)
        if "artifact" in request:
            result = _register(request["name"], request["artifact"], home / "artifacts")
        else:
            mlflow.MlflowClient().set_registered_model_alias(request["name"], request["alias"], request["version"])
            result = request["version"]
        print(json.dumps(result), flush=True)  # noqa: T201 (the answer)


if __name__ == "__main__":
    main()
