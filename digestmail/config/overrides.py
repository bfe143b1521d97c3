"""The configuration with environment variables that override the file.

Imported only if there are such variables: pydantic-settings takes as long to import as the rest of a short command.
"""

from __future__ import annotations

from typing import Any, get_args

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from digestmail.config.environment import ENV_DELIMITER, ENV_PREFIX
from digestmail.config.settings import Config


class Environment(EnvSettingsSource):
    """The variables that override the file; an empty one counts as not set."""

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:
        """Read JSON, or a list of texts separated by commas; return anything else as it is.

        Validation then names its key, together with every other problem.
        """
        try:
            return super().decode_complex_value(field_name, field, value)  # type: ignore[arg-type] # None for a dict
        except (ValueError, RecursionError):
            kinds = get_args(field.annotation) if field is not None else ()
            texts = kinds[1:] == (Ellipsis,) and str in {kinds[0], *get_args(kinds[0])[:1]}
            if not texts or value.lstrip().startswith(("[", "{")):
                return value
            return [part.strip() for part in value.split(",") if part.strip()]


class OverriddenConfig(Config, BaseSettings):
    """The configuration of a file, overridden by the environment."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_DELIMITER, validate_default=False
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override the file."""
        del env_settings, dotenv_settings, file_secret_settings
        return Environment(settings_cls, env_ignore_empty=True), init_settings


def overriding_lists() -> dict[str, Any]:
    """Return the lists in the environment: each takes the place of the file's."""
    found = Environment(OverriddenConfig, env_ignore_empty=True)()
    return {key: value for key, value in found.items() if isinstance(value, list)}
