"""Every error biasloop raises on purpose.

BiasloopError
├── ConfigError              biasloop.toml, environment, secrets
├── CampaignError            label_config.xml, guideline, campaign.toml
├── WorkspaceError           missing, locked, unreadable, full
├── DataError                input that cannot be read at all (bad rows go to the rejects file)
├── PoolError                a shard or an item that is not there
├── LedgerError              the database refuses or is damaged
│   └── LostLease            somebody else holds the round by now; what we did is discarded
├── LabelStudioError
│   ├── LabelStudioDown      no answer, a time-out or a 5xx: worth trying again
│   └── LabelStudioRefused   wrong token, missing right, request refused: needs a person
├── LlmError
│   ├── LlmDown              no answer, a time-out, a 5xx or too many requests
│   └── LlmRefused           wrong key, model or request: needs a person
├── ClassifierError          training or a model folder
├── JobError                 a child process failed
└── UnknownName              a plug-in name nobody registered

A message says what went wrong, where, and what to do next.
"""


class BiasloopError(Exception):
    """Base of the tree. `exit_code` is what the CLI ends with."""

    exit_code = 1


class ConfigError(BiasloopError):
    """A setting is unknown, missing or out of range."""

    exit_code = 2


class CampaignError(BiasloopError):
    """The campaign folder does not say what it must say."""

    exit_code = 2


class WorkspaceError(BiasloopError):
    """The workspace folder cannot be used as it is."""


class DataError(BiasloopError):
    """An input file cannot be read at all."""


class PoolError(BiasloopError):
    """The pool misses a shard or an item, or is locked by another writer."""


class LedgerError(BiasloopError):
    """The ledger refuses a write or cannot be read."""


class LostLease(LedgerError):
    """The round was claimed by somebody else meanwhile; nothing was written."""


class LabelStudioError(BiasloopError):
    """Label Studio did not do what was asked."""


class LabelStudioDown(LabelStudioError):
    """No answer, a time-out or a server error; the same request may succeed later."""


class LabelStudioRefused(LabelStudioError):
    """Label Studio understood and refused: token, rights or content."""


class LlmError(BiasloopError):
    """The language model's server did not do what was asked."""


class LlmDown(LlmError):
    """No answer, a time-out, a server error or a rate limit; it may answer later."""


class LlmRefused(LlmError):
    """The server understood and refused: key, model or request."""


class ClassifierError(BiasloopError):
    """Training is impossible with this data, or a model folder is damaged."""


class JobError(BiasloopError):
    """A child process ended without a result."""


class UnknownName(BiasloopError):
    """No plug-in of that kind has that name."""

    exit_code = 2


def describe_error(error: Exception) -> str:
    """What people are told of an error: ours as it is, the system's (disk full, rights) with what
    to look at, anybody else's marked as unexpected."""
    if isinstance(error, BiasloopError):
        return str(error)
    if isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        return f"cannot use{where}: {error.strerror or error}; check path, rights and free space"
    return f"unexpected: {error!r}"
