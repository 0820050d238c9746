"""What a namespace's ResourceQuota and LimitRange make of a pod of the stand-in, in the API server's words."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_plugin.rows.policy import quantity
from tests.kubernetes.front import Json

QUOTA = "quota"  # the name of each object
LIMITS = "limits"


@dataclass
class Limits:
    pods: int | None = None
    defaults: dict[str, str] = field(default_factory=dict)  # limits of a container that has none of its own

    def refusal(self, body: Json, there: int) -> tuple[int, str]:
        """Give the pod its limits; status and words if it may not be, beside so many others."""
        name, container = body["metadata"]["name"], body["spec"]["containers"][0]
        resources = container.get("resources") or {}
        container["resources"] = resources
        requests = {**self.defaults, **(resources.get("limits") or {}), **(resources.get("requests") or {})}
        resources["limits"] = {**self.defaults, **(resources.get("limits") or {})}
        resources["requests"] = requests
        for kind, limit in resources["limits"].items():
            if quantity(requests[kind]) > quantity(limit):
                what = f'"{requests[kind]}": must be less than or equal to {kind} limit of {limit}'
                where = "spec.containers[0].resources.requests"
                return 422, f'Pod "{name}" is invalid: {where}: Invalid value: {what}'
        if self.pods is not None and there >= self.pods:
            used = f"requested: pods=1, used: pods={there}, limited: pods={self.pods}"
            return 403, f'pods "{name}" is forbidden: exceeded quota: {QUOTA}, {used}'
        return 0, ""
