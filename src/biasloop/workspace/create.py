"""A new workspace, made from a campaign."""

import shutil
from pathlib import Path
from secrets import token_hex

from biasloop.errors import WorkspaceError, reason
from biasloop.workspace.campaign import check_campaign, read_campaign, shipped
from biasloop.workspace.secrets import write_secrets
from biasloop.workspace.settings_file import SETTINGS_FILE, template


def create_workspace(folder: Path, campaign: str, seed: int | None = None) -> None:
    """Makes a workspace in `folder` from a shipped campaign or a campaign folder. Needs no server.
    `seed` goes into the settings.

    Raises WorkspaceError when the folder is a workspace already, is not empty or cannot be written,
    CampaignError when the campaign cannot drive the loop or Label Studio would refuse it.
    """
    configuration, seeds = shipped(campaign)
    check_campaign(read_campaign(configuration))
    if (folder / SETTINGS_FILE).exists():
        raise WorkspaceError(f"{folder} is a workspace already; `biasloop status` shows it")
    if folder.exists() and any(folder.iterdir()):
        raise WorkspaceError(f"{folder} is not empty; give a new folder")
    try:
        shutil.copytree(configuration, folder / "campaign")
        if seeds.exists():
            shutil.copytree(seeds, folder / "campaign" / "seeds", dirs_exist_ok=True)
        write_secrets(
            folder, {"LABEL_STUDIO_TOKEN": token_hex(20), "LABEL_STUDIO_PASSWORD": token_hex(8)}
        )
        settings = template()
        if seed is not None:
            settings = settings.replace("# seed = 0", f"seed = {seed}")
        (folder / SETTINGS_FILE).write_text(settings, "utf-8")
    except OSError as error:
        raise WorkspaceError(f"cannot write the workspace {folder}: {reason(error)}") from None
