"""What a new repository holds besides the reference stack that it is made from."""

from __future__ import annotations

from collections.abc import Mapping

TASKS = """from deploy.tasks import namespace

ns = namespace(__file__)
"""

INVOKE = """# Settings of the tasks; all of them are in Windlass' documentation, "Configuration".
deploy:
  project: {project}
  stack: {stack}
  # Named here, a host need not be given with --host:
  # environments:
  #   prod:
  #     hosts: [deploy@app1.example.com]
"""

GIT_IGNORE = """# Secrets: each machine has its own, made from .env.example.
.env
.env.*
!.env.example

# What the tasks write here: backups of the development database, and the throw-away host.
/backups/
/.windlass/

.venv/
__pycache__/
node_modules/
dist/
.pytest_cache/
.DS_Store
"""

DOCKER_IGNORE = """# For builds whose context is the whole repository; other contexts have their own.
.git
.github
.env
.env.*
backups
.windlass
.venv
**/__pycache__
**/node_modules
**/dist
"""

WORKFLOW = """# Every change is built, started and tested as on a laptop. A release is made by hand from the Actions
# page: it needs the environment `prod` with the secrets SSH_KEY and ENV_PROD (the text of .env.prod) and the variables
# HOST (deploy@app1.example.com) and KNOWN_HOSTS (what `ssh-keyscan app1.example.com` printed, compared by you).
name: ci
on:
  push:
    branches: [main]
  pull_request:
  workflow_dispatch:

permissions:
  contents: read

jobs:
  test:
    runs-on: ubuntu-latest
    timeout-minutes: 30
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.13"
          cache: pip
      - run: pip install --requirement requirements.txt
      - run: inv dev.up
      - run: inv dev.test
      - if: failure()
        run: inv dev.logs --tail 200

  release:
    if: github.event_name == 'workflow_dispatch'
    needs: test
    runs-on: ubuntu-latest
    timeout-minutes: 30
    environment: prod
    concurrency: prod
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.13"
          cache: pip
      - run: pip install --requirement requirements.txt
      - name: Write the key and the env file, readable by nobody else
        env:
          SSH_KEY: ${{ secrets.SSH_KEY }}
          ENV_PROD: ${{ secrets.ENV_PROD }}
          KNOWN_HOSTS: ${{ vars.KNOWN_HOSTS }}
        run: |
          umask 077
          mkdir -p ~/.ssh
          printf '%s\\n' "$SSH_KEY" >~/.ssh/id_ed25519
          printf '%s\\n' "$KNOWN_HOSTS" >~/.ssh/known_hosts
          printf '%s\\n' "$ENV_PROD" >.env.prod
      - run: inv prod.deploy --host "$HOST" --yes
        env:
          HOST: ${{ vars.HOST }}
"""

README = """# {project}

Made from Windlass' reference stack `{stack}`: {description}

```
pip install --requirement requirements.txt
inv dev.up                                       # build, start, print the addresses; makes .env on first use
inv prod.deploy --host deploy@app1.example.com   # release to a server with SSH; makes .env.prod on first use
```

No server at hand? `inv prod.deploy --host sandbox` makes a throw-away one on this machine.

| | |
| --- | --- |
| `apps/{stack}` | the application |
| `docker/{stack}` | its images |
| `compose/{stack}` | `compose.yaml`, with `dev.yaml` or `prod.yaml` over it |
| `.env.example` | every variable that the compose files read |
| `invoke.yaml`, `tasks.py` | the tasks: `inv --list` |

`inv stack.inspect` shows what the tasks know of the project and why, `inv stack.graph` draws it.
"""


def scaffold(stack: str, project: str, description: str, requirement: str) -> Mapping[str, str]:
    """Texts by path. `requirement` is how pip names the Windlass that is installed."""
    return {
        "tasks.py": TASKS,
        "invoke.yaml": INVOKE.format(stack=stack, project=project),
        "requirements.txt": f"{requirement}\n",
        "README.md": README.format(stack=stack, project=project, description=description),
        ".gitignore": GIT_IGNORE,
        ".dockerignore": DOCKER_IGNORE,
        ".github/workflows/ci.yaml": WORKFLOW,
    }
