"""Configuration that only Invoke reads (`-f FILE`, what does not fit its defaults), said in a line when it cannot."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from types import FrameType, TracebackType

import invoke.config
from invoke.vendor import yaml

from deploy.model.errors import UsageError

_WEBHOOK = re.compile(r"""(['"]?webhook['"]?: *['"])[^'"]*(['"])""")
"""As a dictionary is printed."""
_READING = frozenset(["load_project", "load_runtime", "load_shell_env", "load_collection", "merge"])


def say_plainly() -> None:
    """Have Invoke's failure to read its configuration shown as a usage error.

    Invoke reads some of it after a project's tasks are loaded and lets everything through that is wrong with it: what
    is left to us is how an error that nobody catches is shown.
    """
    if sys.excepthook is not _show:
        sys.excepthook = _show


def keep_secrets_out_of_debugging() -> None:
    """Mask what of `invoke.yaml` is a secret in what Invoke's own --debug prints of its configuration."""
    log = logging.getLogger("invoke")
    if _masked not in log.filters:
        log.addFilter(_masked)


def _masked(record: logging.LogRecord) -> bool:
    said = record.getMessage()
    masked = _WEBHOOK.sub(r"\1***\2", said)
    if masked != said:
        record.msg, record.args = masked, ()
    return True


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not _is_about_configuration(trace):
        sys.__excepthook__(kind, error, trace)
        return
    raise SystemExit(_told(error))


def _told(error: BaseException) -> int:
    """Shows what is wrong, and gives the exit status."""
    said = " ".join(str(error).split())
    where = f"{error.__class__.__name__}: " if isinstance(error, AttributeError | TypeError) else ""
    usage = UsageError(
        f"the configuration cannot be read: {where}{said}",
        "mend invoke.yaml, or the file that -f or INVOKE_RUNTIME_CONFIG names"
        + ("; it is YAML" if isinstance(error, yaml.YAMLError) else ""),
    )
    sys.stderr.write(f"{usage.message}\n→ {usage.remedy}\n")
    return usage.code


def _is_about_configuration(trace: TracebackType | None) -> bool:
    return any(
        frame.f_code.co_filename == invoke.config.__file__ and frame.f_code.co_name in _READING
        for frame in _frames(trace)
    )


def _frames(trace: TracebackType | None) -> Iterator[FrameType]:
    while trace:
        yield trace.tb_frame
        trace = trace.tb_next
