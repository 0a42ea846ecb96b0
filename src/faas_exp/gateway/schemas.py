"""Bodies of the API's requests, checked."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from faas_exp.gateway.model import MAX_REPLICAS, NAME, FunctionSpec, InvalidFunctionError


def _none_is(empty: Any) -> BeforeValidator:
    # Go writes null for an empty slice or map.
    return BeforeValidator(lambda value: empty() if value is None else value)


_Map = Annotated[dict[str, str], _none_is(dict)]
_List = Annotated[list[str], _none_is(list)]
_Text = Annotated[str, _none_is(str)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)


class _Resources(_Body):
    memory: _Text = ""
    cpu: _Text = ""


class DeployBody(_Body):
    """FunctionDeployment; what upstream calls deprecated (``network``, ``registryAuth``) is ignored."""

    service: str
    image: str
    namespace: _Text = ""
    env_process: _Text = Field("", alias="envProcess")
    env_vars: _Map = Field({}, alias="envVars")
    labels: _Map = {}
    annotations: _Map = {}
    constraints: _List = []
    secrets: _List = []
    limits: _Resources | None = None
    requests: _Resources | None = None
    read_only: Annotated[bool, _none_is(bool)] = Field(False, alias="readOnlyRootFilesystem")

    def spec(self, namespace: str) -> FunctionSpec:
        """The deployment.

        Raises:
            InvalidFunctionError: well-formed, but not possible.
        """
        if not NAME.match(self.service):
            raise InvalidFunctionError(
                f"service: found {self.service!r}, allowed: up to 63 of a-z, 0-9 and -, no - at either end"
            )
        if not self.image.strip():
            raise InvalidFunctionError("image: found nothing, allowed: an image's name")
        if self.namespace not in ("", namespace):
            raise InvalidFunctionError(f"namespace: found {self.namespace!r}, allowed: {namespace}")
        for key, value in self.env_vars.items():
            if not key or "=" in key or "\0" in key or "\0" in value:
                raise InvalidFunctionError(f"envVars.{key!r}: allowed: a name without '=', and no NUL in either")
        if "\0" in self.env_process:
            raise InvalidFunctionError("envProcess: allowed: a command without NUL")
        spec = FunctionSpec(
            name=self.service,
            image=self.image.strip(),
            env_process=self.env_process.strip(),
            environment=self.env_vars,
            labels=self.labels,
            annotations=self.annotations,
            constraints=tuple(self.constraints),
            secrets=tuple(self.secrets),
            limits=self.limits.model_dump() if self.limits else None,
            requests=self.requests.model_dump() if self.requests else None,
            read_only_root_filesystem=self.read_only,
        )
        _ = spec.scale
        try:
            _ = spec.exec_timeout
        except ValueError as error:
            raise InvalidFunctionError(f"envVars: exec_timeout or write_timeout: {error}") from None
        return spec


class DeleteBody(_Body):
    """DeleteFunctionRequest."""

    name: str = Field(validation_alias=AliasChoices("functionName"), min_length=1)


class ScaleBody(_Body):
    """ScaleServiceRequest; Swarm's provider takes it without ``serviceName``, so that is optional."""

    service: str | None = Field(None, alias="serviceName")
    replicas: int = Field(ge=0, le=MAX_REPLICAS)


_B = TypeVar("_B", bound=_Body)


def read_body(kind: type[_B], body: bytes) -> _B:
    """Parses a JSON body.

    Raises:
        pydantic.ValidationError: not JSON, or not of that kind.
    """
    return kind.model_validate_json(body)
