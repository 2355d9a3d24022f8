"""The template as Chalice generates and merges it, in process and without building the zip.

`chalice package` spends its time on the zip; the template depends on app.py and .chalice only. The classes used are
those that the command uses, all but the one that builds the zip.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from chalice.awsclient import TypedAWSClient
from chalice.cli.factory import CLIFactory, create_botocore_session
from chalice.deploy.appgraph import ApplicationGraphBuilder, DependencyBuilder
from chalice.deploy.deployer import BuildStage, DeploymentPackager, InjectDefaults, PolicyGenerator, SwaggerBuilder
from chalice.deploy.swagger import CFNSwaggerGenerator
from chalice.package import PackageOptions, ResourceBuilder, SAMTemplateGenerator, TemplateDeepMerger
from chalice.policy import AppPolicyGenerator
from chalice.utils import OSUtils

PROJECT = Path(__file__).resolve().parents[2]
INFRASTRUCTURE = PROJECT / ".chalice" / "infrastructure.yaml"
STAGES = ("dev", "prod")


class NoZip:
    """Stands where the deployment package is built."""

    def create_deployment_package(self, project_dir: str, python_version: str) -> str:
        return "./deployment.zip"


@cache
def merged_template(stage: str) -> dict[str, Any]:
    """Return the template of *stage*. Shared between tests: do not change it."""
    factory = CLIFactory(str(PROJECT), environ=dict(os.environ))
    config = factory.create_config_obj(stage)
    session = create_botocore_session()
    session.set_config_variable("region", "eu-central-1")
    session.set_credentials("none", "none")  # nothing is called; without any, botocore would look for some
    steps = [
        InjectDefaults(),
        DeploymentPackager(packager=NoZip()),
        PolicyGenerator(policy_gen=AppPolicyGenerator(osutils=OSUtils()), osutils=OSUtils()),
        SwaggerBuilder(swagger_generator=CFNSwaggerGenerator()),
    ]
    resources = ResourceBuilder(ApplicationGraphBuilder(), DependencyBuilder(), BuildStage(steps=steps))
    template = SAMTemplateGenerator(config, PackageOptions(TypedAWSClient(session))).generate(
        resources.construct_resources(config, stage)
    )
    merged: dict[str, Any] = TemplateDeepMerger().merge(infrastructure(), template)
    return merged


@cache
def infrastructure() -> dict[str, Any]:
    """Return the merge template alone. Shared between tests: do not change it."""
    loaded: dict[str, Any] = yaml.safe_load(INFRASTRUCTURE.read_text(encoding="utf-8"))
    return loaded
