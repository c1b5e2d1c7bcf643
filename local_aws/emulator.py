"""The local AWS as a process: moto on a loopback port, with its gaps filled.

Prints one line, the port, when it is ready. Ends when its standard input ends, so that it can't
outlive whoever started it.
"""

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn


def main() -> None:
    """Serve until standard input is closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="folder for what runs")
    parser.add_argument("--region", required=True)
    parser.add_argument("--port", type=int, default=0, help="default: any that is free")
    parser.add_argument(
        "--serving-python",
        type=Path,
        default=Path(sys.executable),
        help="interpreter of the environment that endpoints serve models in",
    )
    options = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("local_aws").setLevel(logging.INFO)  # what happens, for who follows the log

    # moto reads these when it is imported.
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": options.region,
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",  # cdk bootstrap attaches one
    }
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    from local_aws import (
        alarm_actions,
        alarm_states,
        bucket_policies,
        cloudformation,
        event_delivery,
        executions,
        hosting,
        images,
        managed_policies,
        object_etags,
        s3_requests,
        service_requests,
    )

    class Handler(MotoRequestHandler):  # type: ignore[misc]  # moto is not checked
        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Log faults only."""
            if str(code).startswith("5"):
                super().log_request(code, size)

    application = DomainDispatcherApplication(create_backend_app)
    server = make_server(
        "127.0.0.1", options.port, application, threaded=True, request_handler=Handler
    )
    os.environ["AWS_ENDPOINT_URL"] = f"http://localhost:{server.port}"
    alarm_actions.install()
    bucket_policies.install()
    cloudformation.install()
    event_delivery.install()
    executions.install(options.directory / "executions", images.Images(options.directory))
    hosting.install(options.directory / "endpoints", options.serving_python)
    managed_policies.install()
    object_etags.install()
    s3_requests.install()
    service_requests.install()
    alarm_states.install()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: _end(hosting.end_all))
    print(server.port, flush=True)
    sys.stdin.read()
    _end(hosting.end_all)


def _end(end_endpoints: Callable[[], None]) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # who ends us does both: closes and signals
    end_endpoints()
    os._exit(0)  # running steps are of no use to anyone now


if __name__ == "__main__":
    main()
