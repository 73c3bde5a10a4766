"""A hundred mistakes, each answered with what is wrong, where, and what to do; nothing is changed. Without Docker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bad_input import TASKS, Bad, File, large, loop, make, of, pipe, require_said, snapshot

LIST = ("--list",)
COMPOSE = {"compose.yaml": "services: {web: {image: nginx}}\n"}
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def yaml(name: str, text: File, said: str, remedy: str) -> Bad:
    """A row about invoke.yaml."""
    return Bad(name, {"invoke.yaml": text}, LIST, said, remedy)


def prod(name: str, text: str, said: str, remedy: str) -> Bad:
    """A row about a setting of the environment `prod`."""
    said = said.replace("PROD", r"invoke\.yaml: deploy\.environments\.prod")
    return yaml(name, f"deploy: {{environments: {{prod: {{{text}}}}}}}", said, remedy)


def typed(name: str, *words: str, said: str, remedy: str, code: int = 2) -> Bad:
    """A row about a command line."""
    return Bad(name, COMPOSE, words, said, remedy, code)


FILES = (
    yaml("tabs", "deploy:\n\tproject: x\n", r"invoke\.yaml, line 2, column 1 cannot be read", "by spaces"),
    yaml("unclosed-list", "deploy: [", r"invoke\.yaml, line 1, column 10 cannot be read", "→ mend it there"),
    yaml("unclosed-quote", "deploy:\n  project: 'shop\n", r"line 3, column 1 cannot be read", "→ mend it there"),
    yaml(
        "key-twice", "deploy:\n  project: a\n  project: b\n", "line 3: the key 'project' is there twice", "line 2 too"
    ),
    yaml("deploy-twice", "deploy: {project: a}\ndeploy: {}\n", "line 2: the key 'deploy' is there twice", "line 1 too"),
    yaml(
        "environment-twice",
        "deploy:\n  environments:\n    prod: {keep: 3}\n    prod: {keep: 4}\n",
        "line 4: the key 'prod' is there twice",
        "line 3 too",
    ),
    yaml("two-documents", "deploy: {}\n---\ndeploy: {}\n", "line 2, column 1 cannot be read", "→ mend it there"),
    yaml("python-object", "deploy: !!python/object/apply:os.getcwd []\n", "line 1, column 9 cannot", "→ mend it there"),
    yaml("unknown-alias", "deploy: *nothing\n", "found undefined alias 'nothing'", "→ mend it there"),
    yaml("list-as-key", "deploy: {[a]: x}\n", "found unhashable key", "→ mend it there"),
    yaml("billions-of-values", f"{BOMB}deploy: {{project: *i}}\n", "line 5: more than 100000 values", "no aliases of"),
    yaml("its-own-alias", "deploy: &x {environments: *x}\n", "line 1: an anchor that holds itself", "→ write out"),
    yaml("deeply-nested", "deploy: " + "[" * 5000 + "]" * 5000, "it is nested too deeply", "→ mend it there"),
    yaml("nul", b"deploy: {project: 'a\0b'}\n", r"invoke\.yaml, line 1: a NUL byte", "→ remove it"),
    yaml(
        "utf-16", "deploy: {}".encode("utf-16"), r"invoke\.yaml, line 1: byte 0xff is not UTF-8", "→ save it as UTF-8"
    ),
    yaml("latin-1", "#\ndeploy: {project: é}".encode("latin-1"), "line 2: byte 0xe9 is not UTF-8", "iconv -f latin1"),
    yaml("not-a-mapping", "- a\n", r"invoke\.yaml is not a mapping", "→ write settings as `deploy:`"),
    yaml("nothing-below", "deploy:\n", "there are no settings under deploy:", "→ add some"),
    yaml("mistyped-deploy", "depoly: {project: shop}\n", r"invoke\.yaml: depoly: unknown key", "mean 'deploy'"),
    yaml(
        "without-deploy", "environments: {prod: {}}\n", "environments: unknown key", "deploy: with environments: below"
    ),
    yaml("a-folder", Path.mkdir, r"invoke\.yaml is a folder, not a file", "→ mend that first"),
    yaml("a-pipe", pipe, r"invoke\.yaml is a named pipe, not a file", "→ mend that first"),
    yaml("a-device", lambda path: path.symlink_to("/dev/zero"), r"invoke\.yaml is a device", "→ mend that first"),
    yaml("a-loop-of-links", loop, "cannot be read: Too many levels of symbolic links", "→ mend that first"),
    yaml("a-dead-link", lambda path: path.symlink_to("no"), "cannot be read: No such file", "→ mend that first"),
    yaml(
        "two-hundred-megabytes", large, "is 200 MB, and no file of its kind is larger than 256 KB", "→ look what it is"
    ),
    Bad("json", {"invoke.json": "{"}, LIST, r"invoke\.json cannot be read", "→ mend it there"),
    Bad("json-key", {"invoke.json": '{"deploy": {"projet": 1}}'}, LIST, r"invoke\.json: deploy\.projet", "'project'"),
    Bad(
        "missing-f",
        COMPOSE,
        ("-f", "no.yaml", "prod.plan"),
        r"-f no\.yaml: there is no such file",
        "→ correct the path",
    ),
    Bad(
        "mistyped-in-f",
        {"x.yaml": "deploy: {projet: x}"},
        ("-f", "x.yaml", "prod.plan"),
        r"x\.yaml: deploy\.projet: unknown key",
        "mean 'project'",
    ),
    Bad(
        "from-the-environment",
        {},
        ("prod.plan",),
        r"INVOKE_DEPLOY_…\): deploy\.project: 'Not A Name' cannot name",
        "→ use lower-case",
        env={"INVOKE_DEPLOY_PROJECT": "Not A Name"},
    ),
    Bad(
        "ssh-config-path",
        {"invoke.yaml": "ssh_config_path: nope\n"},
        ("prod.plan", "--host", "a"),
        "ssh_config_path: nope: there is no such file",
        "→ correct it there",
    ),
)

SETTINGS = (
    yaml("crlf", b"deploy:\r\n  projet: a\r\n", r"invoke\.yaml: deploy\.projet: unknown key", "'project'"),
    yaml("number-as-key", "deploy: {1: x}\n", r"deploy\.1: unknown key", "→ known: project"),
    yaml("stack-list", "deploy: {stack: [a]}", r"deploy\.stack is not a text", r"→ it is \['a'\]"),
    yaml("project-bool", "deploy: {project: yes}", "'True' cannot name a compose project", "→ use lower-case"),
    yaml("project-long", f"deploy: {{project: {'a' * 64}}}", "'a{64}' cannot name a compose", "→ use lower-case"),
    yaml("project-line", 'deploy: {project: "a\\n"}', "cannot name a compose project", "→ use lower-case"),
    yaml("backups-list", "deploy: {backups: [x]}", r"deploy\.backups is not a text", "→ it is"),
    yaml("environments-text", "deploy: {environments: prod}", "environments is not a mapping of names", "'prod'"),
    yaml("environments-false", "deploy: {environments: false}", "environments is not a mapping", "→ it is False"),
    yaml("environment-text", "deploy: {environments: {prod: hi}}", r"\.prod is not a mapping", "→ it is 'hi'"),
    yaml("environment-false", "deploy: {environments: {prod: false}}", r"\.prod is not a mapping", "→ it is False"),
    yaml("environment-name", "deploy: {environments: {My Prod: {}}}", "'My Prod' cannot name", "→ use lower-case"),
    yaml("environment-yes", "deploy: {environments: {yes: {}}}", "True is not a name", '→ write it as a text: "True"'),
    yaml("environment-taken", "deploy: {environments: {db: {}}}", "'db' is the name of other tasks", "something else"),
    yaml("environment-option", "deploy: {environments: {-x: {}}}", "'-x' cannot name", "→ use lower-case"),
    prod("key", "keep_fre: 1", r"PROD\.keep_fre: unknown key", "mean 'keep_free'"),
    prod("compose-number", "compose: 5", r"PROD\.compose is not a list of texts", "→ it is 5"),
    prod("compose-empty", "compose: ['']", r"PROD\.compose has an empty text", "→ leave it out"),
    prod("env-file-list", "env_file: [a]", r"PROD\.env_file is not a text", r"→ it is \['a'\]"),
    prod("hosts-map", "hosts: {a: b}", r"PROD\.hosts is not a list of texts", "→ it is"),
    prod("hosts-empty", "hosts: ['']", r"PROD\.hosts has an empty text", "→ leave it out"),
    prod("hosts-space", "hosts: [a b]", r"PROD\.hosts: 'a b' cannot be read as a host", "→ write user@server"),
    prod("hosts-option", "hosts: [-oProxyCommand=x]", "'-oProxyCommand=x' cannot be read", "→ write user@server"),
    prod("domains-list", "domains: [a.example.com]", r"PROD\.domains is not a mapping of services", "→ it is"),
    prod("domains-address", "domains: {web: 'https://a.b'}", "'https://a.b' is not a host name", "without https"),
    prod("acme-text", "acme: letsencrypt", r"PROD\.acme is not a mapping, nor false", "→ it is 'letsencrypt'"),
    prod("acme-key", "acme: {emial: x}", r"PROD\.acme\.emial: unknown key", "mean 'email'"),
    prod("acme-email", 'acme: {email: "a\'b@c"}', "is not an address", "ops@example.com"),
    prod("acme-server", "acme: {server: 5}", "'5' is not an https address", "→ https"),
    prod("page-list", "maintenance_page: []", r"PROD\.maintenance_page is not a text", r"→ it is \[\]"),
    prod("path-relative", "path: srv/shop", r"PROD\.path: 'srv/shop' is not an absolute folder", "/opt/myapp"),
    prod("path-up", "path: /opt/../etc", "'/opt/../etc' is not an absolute folder", "/opt/myapp"),
    prod("path-space", "path: /opt/my shop", "has ' ', which not every program", "→ use letters, digits"),
    prod("path-quote", 'path: "/opt/it\'s"', 'has "\'", which not every program', "→ use letters, digits"),
    prod("path-line", 'path: "/opt/a\\nb"', r"has '\\n', which not every program", "→ use letters, digits"),
    prod("path-nul", 'path: "/opt/a\\0b"', r"has '\\x00', which not every program", "→ use letters, digits"),
    prod("path-colon", "path: '/opt/a:b'", "has ':', which not every program", "→ use letters, digits"),
    prod("path-dollar", "path: '/opt/$(id)'", r"has '\$', which not every program", "→ use letters, digits"),
    prod("keep-text", "keep: five", r"PROD\.keep is not a number of at least 2", "→ it is 'five'"),
    prod("keep-one", "keep: 1", r"PROD\.keep is not a number of at least 2", "→ it is 1"),
    prod("keep-half", "keep: 2.5", r"PROD\.keep is not a whole number", "→ it is 2.5"),
    prod("keep-infinite", "keep: .inf", r"PROD\.keep is not a number", "→ it is inf"),
    prod("drain-words", "drain_s: 30s", r"PROD\.drain_s is not a number", "→ it is '30s'"),
    prod("drain-nan", "drain_s: .nan", r"PROD\.drain_s is not a number", "→ it is nan"),
    prod("drain-negative", "drain_s: -1", r"PROD\.drain_s is not a number of at least 0", "→ it is -1"),
    prod("free-words", "keep_free: lots", "'lots' is neither a share nor a size", "for example 20% or 10GB"),
    prod("free-share", "keep_free: 120%", "'120%' is neither a share nor a size", "for example 20% or 10GB"),
    prod("age-words", "backup_max_age_h: 1d", r"PROD\.backup_max_age_h is not a number", "→ it is '1d'"),
    prod("schedule-key", "schedule: {att: '03:15'}", r"PROD\.schedule\.att: unknown key", "mean 'at'"),
    prod("schedule-number", "schedule: 315", r"PROD\.schedule\.at is not a text", "→ write it in quotes"),
    prod("schedule-clock", "schedule: '25:00'", "'25:00' is no time that comes again", "for example '03:15'"),
    prod("schedule-minute", "schedule: '61 3 * * *'", "'61' is no minute", "for example '03:15'"),
    prod("schedule-never", "schedule: '0 0 31 2 *'", "'0 0 31 2 [*]' never comes", "for example '03:15'"),
    prod("schedule-drill", "schedule: {at: '03:15', drill: alway}", "'alway': unknown", "mean 'always'"),
    prod("schedule-limit", "schedule: {at: '03:15', limit_h: 0}", "limit_h is not a number", "→ it is 0"),
    prod("notify-text", "notify: echo", r"PROD\.notify is not a mapping", "→ it takes command, webhook"),
    prod("notify-key", "notify: {comand: x}", r"PROD\.notify\.comand: unknown key", "mean 'command'"),
    prod("notify-webhook", "notify: {webhook: 'ftp://x'}", "webhook is no address", "https://hooks"),
    prod("keep-key", "backup_keep: {dayly: 3}", r"PROD\.backup_keep\.dayly: unknown key", "mean 'daily'"),
    prod("keep-negative", "backup_keep: {daily: -1}", "daily is not a number of at least 0", "→ it is -1"),
    prod("keep-fraction", "backup_keep: {daily: 1.5}", "daily is not a whole number", "→ it is 1.5"),
    prod("mask-list", "mask: [users]", r"PROD\.mask is not a mapping of tables", "→ it is"),
    prod("mask-number", "mask: {users: {email: 5}}", r"PROD\.mask\.users is not a mapping of columns", "for example"),
    prod("encryption-key", "encryption: {recipient: x}", "recipient: unknown key", "mean 'recipients'"),
    prod("encryption-none", "encryption: {}", "recipients is empty", "nobody could read"),
    prod("encryption-public", "encryption: {recipients: [age1x]}", "'age1x' is no public key", "age-keygen"),
    prod("encryption-private", "encryption: {recipients: [AGE-SECRET-KEY-1Q]}", "a private key: take it", "age-keygen"),
    prod("offsite-key", "offsite: {repositry: /mnt/x}", "repositry: unknown key", "mean 'repository'"),
    prod("offsite-kind", "offsite: {repository: 'ftp:x'}", "'ftp:x' is no repository", "for example sftp:"),
    prod("offsite-password", "offsite: {repository: 'rest:https://u:hunter2@h/'}", "holds a password", "REST_PASSWORD"),
    prod("offsite-line", 'offsite: {repository: "/mnt/x\\ny"}', "has a line break", "→ remove it"),
    prod("offsite-time", "offsite: {repository: /mnt/x, timeout_s: 0}", "timeout_s is not a number", "→ it is 0"),
    prod("rehearse-text", "rehearse: 'yes'", r"PROD\.rehearse is not true or false", "→ it is 'yes'"),
    prod("data-from", "data_from: [stagin]", "there is no environment 'stagin'", "→ known: dev, prod"),
    prod("waves", "waves: [half]", "'half' is not a number of hosts", "→ write counts or percentages"),
    prod("parallel", "parallel: 0", r"PROD\.parallel is not a number of at least 1", "→ it is 0"),
    prod("builder", "builder: --help", "'--help' is no builder", "docker buildx ls"),
)

AS_HOST = "cannot be read as a host"
WRITE = "→ write user@server"
COMMAND_LINES = (
    typed("no-host", "prod.plan", said="no host to work on for 'prod'", remedy="→ add --host user@server"),
    typed("host-empty", "prod.plan", "--host", "", said="--host is empty", remedy="→ name a host"),
    typed("host-spaces", "prod.plan", "--host", "  ", said="--host is empty", remedy="→ name a host"),
    typed("host-comma", "prod.plan", "--host", ",", said="--host ,: there is no host in it", remedy="→ name one"),
    typed("host-nothing", "prod.plan", "--host", said="needed value and was not given one", remedy="host", code=1),
    typed("host-user", "prod.plan", "--host", "user@", said=f"--host user@: {AS_HOST}", remedy=WRITE),
    typed("host-at", "prod.plan", "--host", "@a", said=f"--host @a: {AS_HOST}", remedy=WRITE),
    typed("host-port-0", "prod.plan", "--host", "a:0", said="--host a:0: 0 is no port", remedy="from 1 to 65535"),
    typed("host-port-high", "prod.plan", "--host", "a:99999", said="99999 is no port", remedy="from 1 to 65535"),
    typed("host-port-word", "prod.plan", "--host", "a:x:", said=f"--host a:x:: {AS_HOST}", remedy=WRITE),
    typed("host-option", "prod.plan", "--host", "-oProxyCommand=touch${IFS}x", said=AS_HOST, remedy=WRITE),
    typed("host-option-user", "prod.plan", "--host=-oProxyCommand=x@h", said=AS_HOST, remedy=WRITE),
    typed("host-line", "prod.plan", "--host", "a\nb", said=rf"--host 'a\\nb': {AS_HOST}", remedy=WRITE),
    typed("host-shell", "prod.plan", "--host", "$(touch x)", said=AS_HOST, remedy=WRITE),
    typed("host-quote", "prod.plan", "--host", "a'b", said="ssh does not accept it", remedy="→ mend what ssh says"),
    typed("host-user-quote", "prod.plan", "--host", "u;x@a", said="ssh does not accept it", remedy="→ mend what ssh"),
    typed("host-v6", "prod.plan", "--host", "[::1", said=AS_HOST, remedy=WRITE),
    typed("host-long", "prod.plan", "--host", "a" * 300, said="cannot connect to a+", remedy="→ check it with", code=1),
    typed("host-unknown", "prod.plan", "--host", "no.invalid", said="cannot connect", remedy="→ check it", code=1),
    typed("host-of-dev", "db.backups", "--host", "a", said="'dev' is this one", remedy="→ add --env prod"),
    typed("hosts-for-one", "prod.logs", "--host", "a,b", said="one host at a time", remedy="→ add --host a"),
    typed("sandbox-missing", "prod.status", "--host", "sandbox", said="there is no sandbox", remedy="inv sandbox.up"),
    typed("sandbox-host", "prod.plan", "--host", "sandbox-../x", said="cannot name a sandbox", remedy="→ use lower"),
    typed("sandbox-name", "sandbox.up", "--name", "a b", said="a b: cannot name a sandbox", remedy="→ use lower"),
    typed("task", "prod.depoly", said="No idea what 'prod.depoly' is", remedy="depoly", code=1),
    typed("option", "prod.deploy", "--hots", "a", said="No idea what '--hots' is", remedy="hots", code=1),
    typed("dry-exec", "--dry", "prod.exec", "web", "ls", said="cannot be tried", remedy="→ leave --dry out"),
    typed("dry-lock", "--dry", "prod.lock", "--message", "x", said="cannot be tried", remedy="→ leave --dry out"),
    typed("dry-up", "--dry", "dev.up", said="cannot be tried", remedy="→ leave --dry out"),
    typed("dry-behind", "dev.reset", "--yes", "--dry", said="cannot be tried", remedy="→ leave --dry out"),
    typed("dry-between", "db.backup", "--dry", "--env", "prod", said="cannot be tried", remedy="→ leave --dry out"),
    typed("exec-quote", "dev.exec", "web", "echo 'x", said="No closing quotation", remedy="→ close the quotation"),
    typed("exec-empty", "prod.exec", "web", " ", said="the command is empty", remedy="→ say what to run"),
    typed("exec-one", "prod.exec", "web", said="did not receive required positional", remedy="'command'", code=1),
    typed("tail", "prod.logs", "--tail", "x", said="--tail x: that is no number of lines", remedy="from 0 on"),
    typed("tail-dev", "dev.logs", "--tail", "-5", said="--tail -5: that is no number of lines", remedy="from 0 on"),
    typed("lock-why", "prod.lock", "--host", "a", said="will want to know why", remedy="→ add --message"),
    typed("lock-long", "prod.lock", "--message", "x" * 1001, said="has 1001 characters", remedy="at most 1000"),
    typed("page-long", "prod.maintenance", "on", "--message", "x" * 9999, said="has 9999 char", remedy="at most 1000"),
    typed("maintenance", "prod.maintenance", "onn", said="'onn': it is either on or off", remedy="maintenance on"),
    typed("wave-0", "prod.deploy", "--wave", "0", said="--wave: '0' is not a number of hosts", remedy="→ write counts"),
    typed("wave-share", "prod.deploy", "--wave", "200%", said="'200%' is not a number", remedy="→ write counts"),
    typed("wave-gap", "prod.deploy", "--wave", "1,,2", said="'' is not a number of hosts", remedy="→ write counts"),
    typed("parallel-0", "prod.deploy", "--parallel", "0", said="no number of hosts", remedy="a number from 1 on"),
    typed("parallel-half", "prod.deploy", "--parallel", "1.5", said="no number of hosts", remedy="a number from 1 on"),
    typed("parallel-square", "prod.deploy", "--parallel", "²", said="no number of hosts", remedy="a number from 1 on"),
    typed("on-failure", "prod.deploy", "--on-failure", "stopp", said="stopp: unknown", remedy="mean 'stop'"),
    typed("rehearse", "prod.deploy", "--rehearse", "--unrehearsed", said="against each other", remedy="→ leave one"),
    typed("prune-word", "prod.prune", "--keep", "x", said="--keep x: that is no number", remedy="from 1 on"),
    typed("prune-negative", "prod.prune", "--keep", "-1", said="--keep -1: that is no number", remedy="from 1 on"),
    typed("prune-0", "prod.prune", "--keep", "0", said="--keep 0: that is no number", remedy="from 1 on"),
    typed("release", "prod.release", said="prod.release lets go", remedy="inv prod.release --to-compose"),
    typed(
        "at-never", "db.restore", "--env", "prod", "--at", "2026-13-40", said="no time of a day", remedy="→ write it"
    ),
    typed(
        "at-later", "db.restore", "--env", "prod", "--at", "2099-01-01 10:00", said="still to come", remedy="→ it is"
    ),
    typed("at-dev", "db.restore", "--at", "2026-01-01 10:00", said="keeps no WAL", remedy="→ add --env prod"),
    typed("at-and-id", "db.restore", "x", "--at", "2026-01-01", said="two different things", remedy="→ leave one"),
    typed("schedule-at", "db.schedule", "--at", "25:61", said="no time that comes again", remedy="for example '03:15'"),
    typed("schedule-both", "db.schedule", "--at", "3:15", "--off", said="exclude each other", remedy="→ give one"),
    typed("schedule-dev", "db.schedule", "--env", "dev", said="--env dev is this machine", remedy="--env prod"),
    typed("share", "db.check", "--share", "150%", said="--share 150% is no share", remedy="for example 10%"),
    typed("env", "db.backup", "--env", "prd", said="there is no environment 'prd'", remedy="mean 'prod'"),
    typed("env-empty", "db.backup", "--env", "", said="there is no environment ''", remedy="→ known: dev, prod"),
    typed("clone-nowhere", "db.clone", said="--env is missing", remedy="→ add --env"),
    typed("clone-dev", "db.clone", "--env", "dev", said="--env dev is this machine", remedy="inv db.pull"),
    typed("clone-itself", "db.clone", "--env", "prod", said="prod is both ends", remedy="--source NAME"),
    typed("push-nowhere", "db.push", said="--env is missing", remedy="→ add --env"),
    typed("push", "db.push", "--env", "prod", said="prod takes no data from dev", remedy=r"data_from: \[dev\]"),
    typed("pull", "db.pull", "--env", "dev", said="--env dev is this machine", remedy="--env prod"),
    typed("fetch", "db.fetch", "--env", "dev", said="--env dev is this machine", remedy="--env prod"),
    typed("upgrade", "db.upgrade", "--back", "--done", said="contradict each other", remedy="→ leave one"),
    typed("graph", "stack.graph", "--format", "sgv", said="--format sgv: unknown", remedy="mean 'svg'"),
    typed("new", "stack.new", "timetraker", "x", said="no reference stack 'timetraker'", remedy="mean 'timetracker'"),
    typed("new-folder", "stack.new", "timetracker", ".", said="is not empty", remedy="→ name a folder"),
    typed("setup", "host.setup", "--environment", "prd", "--host", "a", said="no environment 'prd'", remedy="'prod'"),
)

INSPECT = ("stack.inspect", "--env", "prod")
PROJECT = (
    Bad("no-compose-file", {}, INSPECT, "no compose file found in", "→ add compose.yaml"),
    Bad(
        "named-compose-file",
        {"invoke.yaml": "deploy: {environments: {prod: {compose: [nope.yaml]}}}"},
        INSPECT,
        r"environments\.prod\.compose: no file .*/nope\.yaml",
        "→ mend the path",
    ),
    Bad(
        "compose-folder",
        {"invoke.yaml": "deploy: {environments: {prod: {compose: [.]}}}"},
        INSPECT,
        r"environments\.prod\.compose: no file",
        "→ mend the path",
    ),
    Bad("stack-unknown", {"invoke.yaml": "deploy: {stack: timetraker}"}, INSPECT, "no file .*timetraker", "→ mend"),
    Bad("compose-pipe", {"compose.yaml": pipe}, INSPECT, r"compose\.yaml is a named pipe", "→ mend that first"),
    Bad(
        "overlay-pipe", COMPOSE | {"prod.yaml": pipe, "compose.prod.yaml": pipe}, INSPECT, "prod.yaml is a n", "→ mend"
    ),
    Bad("compose-loop", {"compose.yaml": loop}, INSPECT, "Too many levels of symbolic links", "→ mend that first"),
    Bad("compose-large", {"compose.yaml": large}, INSPECT, "is 200 MB, and no file of its kind", "→ look what it is"),
    Bad("overlay-large", COMPOSE | {"compose.prod.yaml": large}, INSPECT, r"prod\.yaml is 200 MB", "→ look what it is"),
    Bad("compose-latin-1", {"compose.yaml": b"# \xe9\n"}, INSPECT, "line 1: byte 0xe9 is not UTF-8", "→ save it as"),
    Bad("compose-bomb", {"compose.yaml": BOMB}, INSPECT, r"compose\.yaml, line 5: more than 100000", "no aliases of"),
    Bad(
        "env-latin-1", COMPOSE | {".env.prod": b"\nA=\xe9\n"}, INSPECT, "prod:2: byte 0xe9 is not UTF-8", "→ save it as"
    ),
    Bad("env-nul", COMPOSE | {".env.prod": b"A=a\0b\n"}, INSPECT, r"\.env\.prod:1: a NUL byte", "→ remove it"),
    Bad(
        "env-utf-16", COMPOSE | {".env.prod": "A=1".encode("utf-16")}, INSPECT, "byte 0xff is not UTF-8", "→ save it as"
    ),
    Bad("env-folder", COMPOSE | {".env.prod": Path.mkdir}, INSPECT, r"\.env\.prod is a folder", "→ mend that first"),
    Bad("env-pipe", COMPOSE | {".env.prod": pipe}, INSPECT, r"\.env\.prod is a named pipe", "→ mend that first"),
    Bad("env-loop", COMPOSE | {".env.prod": loop}, INSPECT, "Too many levels of symbolic links", "→ mend that first"),
    Bad("env-large", COMPOSE | {".env.prod": large}, INSPECT, r"\.env\.prod is 200 MB", "→ look what it is"),
    Bad("no-engine", COMPOSE, ("dev.up",), "no Docker engine with compose answers", "→ add --yes"),
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the project is to be; a `docker` that nothing answers: no task may need one to find a mistake."""
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(docker.parent), prepend=":")
    return tmp_path / "shop"


@pytest.mark.timeout(60)
@of(FILES + SETTINGS + COMMAND_LINES + PROJECT)
def test_a_mistake_is_told_with_its_place_and_its_remedy_and_nothing_is_changed(
    bad: Bad, root: Path, isolated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require_said(bad, root, isolated, capsys)


@pytest.mark.parametrize("text", ["deploy: hello", "deploy: {environments: [prod]}", "- a", "deploy: [", "run: x"])
def test_a_file_that_only_invoke_reads_is_told_without_a_traceback(tmp_path: Path, text: str) -> None:
    make(tmp_path / "shop", {"x.yaml": text})
    before = snapshot(tmp_path)

    done = subprocess.run(
        [sys.executable, "-B", "-m", "invoke", "-f", "x.yaml", "prod.plan"],
        cwd=tmp_path / "shop",
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "the configuration cannot be read" in done.stderr
    assert "→ mend invoke.yaml, or the file that -f" in done.stderr
    assert "Traceback" not in done.stderr
    assert snapshot(tmp_path) == before


def test_an_error_of_our_own_is_still_a_traceback(tmp_path: Path) -> None:
    make(tmp_path / "shop", {"tasks.py": TASKS + "raise RuntimeError('a bug')\n"})

    done = subprocess.run(
        [sys.executable, "-B", "-m", "invoke", "--list"],
        cwd=tmp_path / "shop",
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "RuntimeError: a bug" in done.stderr
