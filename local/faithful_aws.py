"""The embedded AWS: ministack, made as strict as AWS where the relay relies on it.

Some of its functions are replaced (DECISIONS.md, "Local", says which and why). It runs as a program
of its own in place of `python -m ministack`, and imports nothing of the project: whatever its
process can import, its functions can import too.
"""

import contextvars
import importlib.metadata
import json
import os
import random
import sys
import threading
import time
import zlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from ministack import app
from ministack.core import lambda_runtime
from ministack.core.arn import parse_arn
from ministack.services import apigateway, cloudwatch_logs, dynamodb, lambda_svc, sns, sqs

MINISTACK = "1.5.33"  # before changing it, read the functions that are replaced here
SERVERS = 4  # of a queue; a short poll asks some of them
MAX_HIDDEN_SECONDS = 12 * 3600
MAX_IN_FLIGHT = 120_000
LOG_PAGE = 10_000  # events in an answer, at most
MAX_BATCH_BYTES = 6 * 1024 * 1024  # a function's payload
MAX_HEAD_BYTES = 10_240  # request line and header values of a request to an HTTP API
FILTER_DELAY_SECONDS = float(os.environ.get("FILTER_DELAY_SECONDS", "0"))

type Message = dict[str, Any]
type Queue = dict[str, Any]
type Request = dict[str, Any]

_is_short = contextvars.ContextVar("is_short", default=False)
_chance = random.Random(int(os.environ.get("SHORT_POLL_SEED", "0")))
_alarms: dict[str, float] = {}  # queue -> when its batching window ends
_outdated: set[Any] = set()  # environments of former code that are busy
_sizes: dict[str, int] = {}  # stream mapping -> the records of its next batch, while it bisects


def main() -> None:
    """Run ministack; exits where its version is not the one that this file was written for."""
    installed = importlib.metadata.version("ministack")
    if installed != MINISTACK:
        sys.exit(
            f"local/faithful_aws.py replaces functions of ministack {MINISTACK}, not {installed}"
        )
    _replace(sqs, "_collect_msgs", collecting)
    _replace(sqs, "_receive_messages_for_esm", lambda _: receive_for_mapping)
    _replace(sns, "_set_subscription_attributes", setting_filters)
    _replace(sns, "_matches_filter_policy", matching)
    _replace(lambda_svc, "_poll_dynamodb_streams", lambda _: poll_streams)
    _replace(lambda_svc, "_sqs_esm_concurrency", counting)
    _replace(cloudwatch_logs, "_filter_log_events", paging)
    _replace(lambda_svc, "_emit_lambda_logs", naming)
    _replace(apigateway, "handle_execute", limiting)
    handlers = sqs._HANDLERS
    for action, by in (
        ("ReceiveMessage", receiving),
        ("ChangeMessageVisibility", changing_visibility),
        ("ChangeMessageVisibilityBatch", changing_visibilities),
    ):
        handlers[action] = by(handlers[action])
    _replace(lambda_svc, "_update_code", letting_finish)
    _replace(lambda_svc, "_update_config", letting_finish)
    _replace(lambda_svc, "release_worker", releasing)
    if "USAGE_FILE" in os.environ:
        note = _noting(os.environ["USAGE_FILE"])
        _replace(app, "_maybe_record_cloudtrail", lambda record: noting_requests(record, note))
        _replace(lambda_svc, "_emit_lambda_logs", lambda emit: noting_runs(emit, note))
    app.main()


def _replace(module: Any, name: str, by: Callable[[Any], Any]) -> None:
    setattr(module, name, by(getattr(module, name)))


def _noting(path: str) -> Callable[..., None]:
    """Return what writes a line of JSON for bench/cost, which counts what a run consumes."""
    file = open(path, "a", encoding="utf-8")  # noqa: PTH123, SIM115  for as long as it runs

    def note(**told: Any) -> None:
        file.write(json.dumps(told) + "\n")
        file.flush()

    return note


def noting_requests(record: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
    """Note each request of a client."""

    def noted(*request: Any) -> Any:
        service, _, _, headers, body, *_ = request
        target = headers.get("x-amz-target", "")
        _, _, caller = headers.get("user-agent", "").partition("bitrix24-relay/")
        caller = caller.partition(" ")[0]  # a function; empty for others
        note(service=service, target=target, body=body.decode(errors="replace"), caller=caller)
        return record(*request)

    return noted


def noting_runs(emit: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
    """Note each run of a function."""

    def noted(function: dict[str, Any], *run: Any, **how: Any) -> Any:
        config = function.get("config") or function
        seconds, megabytes = run[3] / 1000, config.get("MemorySize", 128)
        target = config["FunctionName"]
        note(service="run", target=target, body="", at=time.time(), seconds=seconds,
             megabytes=megabytes)  # fmt: skip
        return emit(function, *run, **how)

    return noted


def naming(emit: Callable[..., Any]) -> Callable[..., Any]:
    """Put the function's name into the name of a log stream, as AWS does in a shared group."""

    def named(function: dict[str, Any], *run: Any, **how: Any) -> Any:
        config = function.get("config") or function
        version = f"{config['FunctionName']}[{config.get('Version', '$LATEST')}]"
        return emit({"config": config | {"Version": version}}, *run, **how)

    return named


# Gateway


def limiting(execute: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Refuse a request whose line and header values are larger than an HTTP API takes."""

    async def limited(  # noqa: PLR0913  ministack's own signature
        api_id: str,
        stage: str,
        path: str,
        method: str,
        headers: dict[str, str],
        *request: Any,
        raw_query_string: str | None = None,
    ) -> Any:
        query = f"?{raw_query_string}" if raw_query_string else ""
        head = [f"{method} {path}{query} HTTP/1.1", *headers.values()]
        if sum(len(text.encode()) for text in head) > MAX_HEAD_BYTES:
            refusal = json.dumps({"message": "Request-URI Too Long"}).encode()
            return HTTPStatus.REQUEST_URI_TOO_LONG, {"Content-Type": "application/json"}, refusal
        return await execute(
            api_id, stage, path, method, headers, *request, raw_query_string=raw_query_string
        )

    return limited


# Functions


def letting_finish(update: Callable[[str, Any], Any]) -> Callable[[str, Any], Any]:
    """Let the environments that are busy finish their invocation with the former code."""

    def updated(name: str, data: Any) -> Any:
        with lambda_runtime._lock:
            for key, workers in lambda_runtime._workers.items():
                if key.split(":")[-2:] == [name, "$LATEST"]:
                    _outdated.update(one for one in workers if one.in_use)
                    workers[:] = [one for one in workers if not one.in_use]
        return update(name, data)

    return updated


def releasing(release: Callable[[Any], None]) -> Callable[[Any], None]:
    """End an environment of former code after its invocation."""

    def released(worker: Any) -> None:
        release(worker)
        if worker in _outdated:
            _outdated.discard(worker)
            lambda_runtime.kill_workers([worker])

    return released


# Queues


def receiving(receive: Callable[[Request, str], Awaitable[Any]]) -> Callable[..., Any]:
    """Treat a receive without a wait as a short poll."""

    async def received(request: Request, url: str) -> Any:
        queue = sqs._get_q(request.get("QueueUrl", url))
        wait = request.get("WaitTimeSeconds")
        if wait is None:
            wait = queue["attributes"].get("ReceiveMessageWaitTimeSeconds", 0)
        token = _is_short.set(int(wait) == 0)
        try:
            return await receive(request, url)
        finally:
            _is_short.reset(token)

    return received


def collecting(collect: Callable[[Queue, int, int], list[Message]]) -> Callable[..., Any]:
    """Give a short poll the messages of some servers, and a full queue's poll none."""

    def collected(queue: Queue, most: int, hidden_seconds: int) -> list[Message]:
        messages, now = queue["messages"], time.time()
        if len(messages) >= MAX_IN_FLIGHT and _in_flight(messages, now) >= MAX_IN_FLIGHT:
            if _is_short.get():
                raise sqs._Err("OverLimit", f"{MAX_IN_FLIGHT} messages are in flight.", 403)
            return []
        if _is_short.get() and not queue["is_fifo"]:
            asked = _chance.sample(range(SERVERS), _chance.randrange(1, SERVERS))
            messages = [
                one for one in messages if zlib.crc32(one["id"].encode()) % SERVERS in asked
            ]
        found = collect({**queue, "messages": messages}, most, hidden_seconds)
        for message in found:
            message["received_at"] = now
        return found

    return collected


def _in_flight(messages: list[Message], now: float) -> int:
    return sum(one["visible_at"] > now and one.get("receive_count", 0) > 0 for one in messages)


def changing_visibility(change: Callable[[Request, str], Any]) -> Callable[..., Any]:
    """Refuse a change of one message's timeout where AWS refuses it."""

    def changed(request: Request, url: str) -> Any:
        refused = _refusal(sqs._get_q(request.get("QueueUrl", url)), request)
        if refused:
            raise sqs._Err(*refused)
        return change(request, url)

    return changed


def changing_visibilities(change: Callable[[Request, str], Any]) -> Callable[..., Any]:
    """Refuse changes of several messages' timeouts, each where AWS refuses it."""

    def changed(request: Request, url: str) -> Any:
        queue, entries = sqs._get_q(request.get("QueueUrl", url)), request.get("Entries", [])
        failed: list[dict[str, Any]] = []
        rest: list[Request] = []
        for entry in entries:
            if refused := _refusal(queue, entry):
                code, reason = refused
                failed.append(
                    {"Id": entry["Id"], "Code": code, "Message": reason, "SenderFault": True}
                )
            else:
                rest.append(entry)
        answer: dict[str, Any] = {"Successful": [], "Failed": []}
        if rest or not entries:
            answer = change(request | {"Entries": rest}, url)
        return answer | {"Failed": answer["Failed"] + failed}

    return changed


def _refusal(queue: Queue, request: Request) -> tuple[str, str] | None:
    """Return code and text of a refusal, or None; ministack judges an unknown receipt."""
    receipt, now = request.get("ReceiptHandle"), time.time()
    message = next((one for one in queue["messages"] if one["receipt_handle"] == receipt), None)
    if message is None or receipt is None:
        return None
    if message["visible_at"] <= now:
        return "MessageNotInflight", "The specified message isn't in flight."
    seconds = int(request.get("VisibilityTimeout", 30))
    if now - message["received_at"] + seconds > MAX_HIDDEN_SECONDS:
        return "InvalidParameterValue", (
            f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total "
            f"VisibilityTimeout for the message is beyond the limit [{MAX_HIDDEN_SECONDS} seconds]"
        )
    return None


def receive_for_mapping(url: str, most: Any) -> list[Message]:
    """Receive up to `most` messages for a function, after its mapping's batching window."""
    with sqs._queues_lock:
        queue, now = sqs._get_q(url), time.time()
        sqs._expire_retained(queue)
        sqs._dlq_sweep(queue)
        ready = [one for one in queue["messages"] if one["visible_at"] <= now][: int(most)]
        if not ready:
            return []
        full = min(one["visible_at"] for one in ready) + _window(queue["attributes"]["QueueArn"])
        if len(ready) < int(most) and now < full and not queue["is_fifo"]:
            if _alarms.get(url) != full:
                _alarms[url] = full
                alarm = threading.Timer(full - now, lambda_svc._esm_wake.set)
                alarm.daemon = True
                alarm.start()
            return []
        size, fit = 0, 0
        for message in ready:
            size += len(message["body"].encode())
            fit += size <= MAX_BATCH_BYTES
        hidden = int(queue["attributes"].get("VisibilityTimeout", "30"))
        received: list[Message] = sqs._collect_msgs(queue, max(fit, 1), hidden)
        return received


def counting(limit: Callable[..., int]) -> Callable[..., int]:
    """Take a mapping's number as CloudFormation does: a parameter's text is a number too."""

    def limited(mapping: dict[str, Any], *rest: Any) -> int:
        scaling = mapping.get("ScalingConfig") or {}
        numbers = {name: int(most) for name, most in scaling.items()}
        return limit(mapping | {"ScalingConfig": numbers}, *rest)

    return limited


def paging(filter_events: Callable[[Request], Any]) -> Callable[..., Any]:
    """Let a search of logs go on where a page ends: `nextToken` is the last time and its number."""

    def filter_page(request: Request) -> Any:
        start, _, number = request.get("nextToken", "").partition("/")
        since = {"startTime": int(start)} if start else {}
        status, headers, body = filter_events(request | since)
        if status != HTTPStatus.OK:
            return status, headers, body
        answer = json.loads(body)
        events = answer["events"]
        if len(events) == LOG_PAGE:
            last = events[-1]["timestamp"]
            shown = sum(one["timestamp"] == last for one in events)
            answer["nextToken"] = f"{last}/{shown}"
        answer["events"] = events[int(number or 0) :]  # those of that time were on the last page
        return status, headers, json.dumps(answer).encode()

    return filter_page


def _window(queue_arn: str) -> float:
    windows = (
        float(mapping.get("MaximumBatchingWindowInSeconds") or 0)
        for _, _, mapping in lambda_svc._iter_all_esms()
        if mapping.get("EventSourceArn") == queue_arn
    )
    return max(windows, default=0)


# Subscriptions


def setting_filters(change: Callable[[Request], Any]) -> Callable[..., Any]:
    """Keep a subscription's former filter in force for FILTER_DELAY_SECONDS after a change."""

    def changed(request: Request) -> Any:
        arn, now = request.get("SubscriptionArn", ""), time.time()
        if isinstance(arn, list):
            arn = arn[0]
        subscription = sns._find_subscription(sns._sub_arn_to_topic.get(arn, ""), arn) or {}
        before = _filter(subscription)
        answer = change(request)
        if before != _filter(subscription):
            until, still = subscription.get("filter_before", (0, None))
            kept = still if now < until else before
            subscription["filter_before"] = (now + FILTER_DELAY_SECONDS, kept)
        return answer

    return changed


def _filter(subscription: dict[str, Any]) -> dict[str, str]:
    attributes = subscription.get("attributes", {})
    return {
        "FilterPolicy": attributes.get("FilterPolicy", ""),
        "FilterPolicyScope": attributes.get("FilterPolicyScope", "MessageAttributes"),
    }


def matching(matches: Callable[[Any, Any, str], bool]) -> Callable[..., Any]:
    """Match a message with the filter that is in force."""

    def matched(subscription: dict[str, Any], attributes: Any, message: str = "") -> bool:
        until, before = subscription.get("filter_before", (0, {}))
        if time.time() < until:
            in_force = subscription["attributes"] | before
            subscription = subscription | {"attributes": in_force}
        return matches(subscription, attributes, message)

    return matched


# Streams


def poll_streams() -> bool:
    """Hand each stream's next batch to its function; return whether any stream had one.

    Each mapping handles one batch at a time, and no stream holds up the queues.
    """
    has_batch = False
    for account, region, mapping in lambda_svc._iter_all_esms():
        of_account = lambda_svc._request_account_id.set(account)
        of_region = lambda_svc._request_region.set(region)
        try:
            if mapping.get("Enabled", True) and ":dynamodb:" in mapping["EventSourceArn"]:
                has_batch = _poll_stream(mapping) or has_batch
        finally:
            lambda_svc._request_account_id.reset(of_account)
            lambda_svc._request_region.reset(of_region)
    return has_batch


def _poll_stream(mapping: dict[str, Any]) -> bool:
    mapping_id, arn = mapping["UUID"], mapping["EventSourceArn"]
    function, _ = lambda_svc._get_func_record_for_qualifier(
        mapping["FunctionName"], mapping.get("Qualifier")
    )
    name, _ = lambda_svc._dynamodb_stream_table_from_arn_spec(parse_arn(arn))
    table = dynamodb._tables.get(name)
    if function is None or not table or table.get("LatestStreamArn") != arn:
        return False
    waits = lambda_svc._esm_backoff_until.get(mapping_id, 0) > time.time()
    if waits or lambda_svc._esm_inflight.get(mapping_id, 0):
        return False
    lambda_svc._init_stream_position(mapping_id, arn, mapping.get("StartingPosition", "LATEST"))
    horizon = dynamodb.stream_start_position(name)
    position = max(lambda_svc._dynamodb_stream_positions[mapping_id], horizon)
    size = _sizes.get(mapping_id, int(mapping.get("BatchSize", 100)))
    batch = dynamodb.stream_records_since(name, position, size)
    if not batch:
        return False
    kept = lambda_svc._apply_filter_criteria(batch, mapping)
    if kept:
        run = lambda: _run_stream_batch(mapping, function, position, batch, kept)  # noqa: E731
        lambda_svc._dispatch_esm_batch(mapping_id, run)
    else:
        lambda_svc._dynamodb_stream_positions[mapping_id] = position + len(batch)
    return True


def _run_stream_batch(
    mapping: dict[str, Any], function: Any, position: int, batch: list[Any], kept: list[Any]
) -> None:
    mapping_id = mapping["UUID"]
    result = lambda_svc._execute_function(function, {"Records": kept})
    failed = first_failed(mapping, result, [one["dynamodb"]["SequenceNumber"] for one in kept])
    after = position + len(batch)
    if failed is None:
        _sizes.pop(mapping_id, None)
        lambda_svc._esm_backoff_until.pop(mapping_id, None)
        mapping["LastProcessingResult"] = f"OK - {len(kept)} records"
    else:
        mapping["LastProcessingResult"] = "FAILED"
        lambda_svc.logger.warning("%s failed: %s", mapping["FunctionName"], result)
        rest, most = kept[failed:], float(mapping.get("MaximumRecordAgeInSeconds") or -1)
        created = rest[0]["dynamodb"].get("ApproximateCreationDateTime", time.time())
        if 0 <= most < time.time() - float(created):
            lambda_svc._send_ddb_stream_failure_record(
                mapping, function, rest, mapping["EventSourceArn"], result, "MaxRecordAgeExceeded"
            )
        else:
            after = position + batch.index(rest[0])
            lambda_svc._esm_backoff_until[mapping_id] = (
                time.time() + lambda_svc._ESM_BACKOFF_SECONDS
            )
            if mapping.get("BisectBatchOnFunctionError") and result.get("error"):
                _sizes[mapping_id] = max(len(batch) // 2, 1)
    lambda_svc._dynamodb_stream_positions[mapping_id] = after


def first_failed(mapping: dict[str, Any], result: Any, numbers: list[str]) -> int | None:
    """Return the place in a batch from which a stream goes on; None after a complete success.

    As on AWS the lowest reported number counts; a number that is not in the batch means all of it.
    """
    if result.get("error"):
        return 0
    if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", []):
        return None
    body = result.get("body")
    try:
        answer = json.loads(body) if isinstance(body, str | bytes) else body
        failures = (answer or {}).get("batchItemFailures") or []
        return min((numbers.index(one["itemIdentifier"]) for one in failures), default=None)
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0


if __name__ == "__main__":
    main()
