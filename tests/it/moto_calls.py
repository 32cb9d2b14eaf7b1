"""moto's server for moto.rs, on a free port, for as long as standard input is open.

Standard output is one line, the port. Beside moto's own paths there are two: POST /test/fill makes what its JSON names,
by boto3, and answers with the endpoints of the clusters; GET /test/calls answers with the calls that came since then.
"""

import io
import json
import logging
import sys
import threading
from urllib.parse import parse_qsl

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

moto = DomainDispatcherApplication(create_backend_app)
calls = []


def call(environ, body):
    """What an SDK asks: the action, its parameters, and who signed for which service and region."""
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        action, parameters = target.split(".")[-1], json.loads(body)
    else:
        parameters = dict(parse_qsl(body.decode()))
        action = parameters.pop("Action", "")
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0].split("/")
    key, _, region, service, _ = scope if len(scope) == 5 else [""] * 5
    return {"action": f"{service}:{action}", "key": key, "region": region, "parameters": parameters}


def fill(wanted):
    url, region = f"http://127.0.0.1:{server.port}", wanted["region"]

    def client(service, key="testing", secret="testing", token=None):
        return boto3.client(
            service,
            endpoint_url=url,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )

    def inside(role):
        if role is None:
            return client("redshift")
        given = client("sts").assume_role(RoleArn=role, RoleSessionName="filling")["Credentials"]
        return client("redshift", given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    for name, text in wanted.get("secrets", {}).items():
        client("secretsmanager").create_secret(Name=name, SecretString=text)
    for name, value in wanted.get("parameters", {}).items():
        client("ssm").put_parameter(Name=name, Type="SecureString", Value=value)
    endpoints = {}
    for name, role in wanted.get("clusters", {}).items():
        redshift = inside(role)
        redshift.create_cluster(
            ClusterIdentifier=name,
            NodeType="ra3.xlplus",
            MasterUsername="admin",
            MasterUserPassword="Not-for-signing-in-1",
        )
        found = redshift.describe_clusters(ClusterIdentifier=name)["Clusters"][0]["Endpoint"]
        endpoints[name] = f"{found['Address']}:{found['Port']}"
    calls.clear()
    return endpoints


def app(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    own = {"/test/fill": lambda: fill(json.loads(body)), "/test/calls": lambda: calls}.get(environ["PATH_INFO"])
    if own:
        answer = json.dumps(own()).encode()
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
        return [answer]
    calls.append(call(environ, body))
    environ["wsgi.input"] = io.BytesIO(body)
    return moto(environ, start_response)


logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = make_server("127.0.0.1", 0, app, threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.port, flush=True)
# Whoever started this holds the other end: it closes even if that process is killed.
sys.stdin.read()
