"""How a further process runs in a zone, from what is asked and what the container is."""

from __future__ import annotations

from zonehost.domain.blueprint import ExecPlan, Process
from zonehost.domain.container import Container
from zonehost.domain.security import ALL_CAPABILITIES, capabilities, parse_security_options
from zonehost.engine.container.blueprint import environment, overridden
from zonehost.engine.host import Host
from zonehost.engine.state.execs import ExecRequest


def plan_exec(
    host: Host,
    record: Container,
    exec_id: str,
    request: ExecRequest,
    console_size: tuple[int, int] | None = None,
    *,
    tied: bool = False,
) -> ExecPlan:
    """The plan: the container's environment, user, folder and limits, where the request has none of its own."""
    wanted = record.host_config
    security = parse_security_options(wanted.security_opt)
    privileged = request.privileged or wanted.privileged
    held = ALL_CAPABILITIES if privileged else capabilities(wanted.cap_add, wanted.cap_drop, privileged=False)
    return ExecPlan(
        zone=record.id,
        id=exec_id,
        process=Process(
            args=request.cmd,
            env=overridden(environment(host, record, tty=request.tty), request.env),
            cwd=request.working_dir or record.config.working_dir or "/",
            user=request.user or record.config.user,
            groups=wanted.group_add or (),
            tty=request.tty,
            console_size=console_size or request.console_size,
            capabilities=held,
            no_new_privileges=security.no_new_privileges,
            ulimits=wanted.ulimits or host.settings.ulimits,
            oom_score_adj=wanted.oom_score_adj,
        ),
        stdin=request.attach_stdin,
        tied=tied,
    )
