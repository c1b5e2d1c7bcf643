"""The pictures of docs/how-it-works.md, drawn from the template of a stage."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

Template = Mapping[str, Any]

# Pixels: of one of the dashboard's 24 columns, of one of its rows, and of a line of text.
_COLUMN, _ROW, _LINE = 40, 34, 18
_COLUMNS = 24


def flow(template: Template) -> str:
    """What flows where, as a Mermaid flowchart.

    Args:
        template: Of a stage with alarms, whose uploads start the pipeline.
    """
    [rule] = _of_type(template, "AWS::Events::Rule")
    [pipeline] = _of_type(template, "AWS::SageMaker::Pipeline")
    definition = json.loads(_text(pipeline["PipelineDefinition"]["PipelineDefinitionBody"]))
    [step] = definition["Steps"]
    job = step["Arguments"]
    [target] = rule["Targets"]
    given = target["SageMakerPipelineParameters"]["PipelineParameterList"]
    [pattern] = rule["EventPattern"]["detail"]["object"]["key"]
    inputs = [item["InputName"] for item in job["ProcessingInputs"]]
    outputs = [item["OutputName"] for item in job["ProcessingOutputConfig"]["Outputs"]]
    uploads = pattern["wildcard"]
    [event] = rule["EventPattern"]["detail-type"]
    image = job["AppSpecification"]["ImageUri"].rpartition("/")[2]
    filtered = [item["MetricTransformations"][0] for item in _of_type(template, _FILTER)]
    return _lines(
        "flowchart LR",
        f'models[("artifact bucket<br/>{uploads}")] -->|{event}| rule[EventBridge rule]',
        f'rule -->|"{", ".join(item["Name"] for item in given)}"| pipeline["SageMaker pipeline"]',
        'rule -.->|cannot be delivered| queue["dead-letter queue"]',
        f'pipeline --> step["{step["Name"]}<br/>in {image}"]',
        f"models -->|{inputs[0]}| step",
        f'assets[("bootstrap bucket<br/>packager, scripts")] -->|"{", ".join(inputs[1:])}"| step',
        f'step -->|"{", ".join(outputs)}"| packages[("artifact bucket<br/>packaged/…")]',
        'step -->|"its log"| filters["metric filters<br/>'
        + "<br/>".join(item["MetricName"] for item in filtered)
        + '"]',
        "filters --> dashboard[dashboard]",
        "rule & queue & pipeline --> metrics[metrics of AWS] --> dashboard",
        f'metrics --> alarms["alarms<br/>{"<br/>".join(alarms(template))}"] --> topic[SNS topic]',
        "alarms --> dashboard",
    )


_FILTER = "AWS::Logs::MetricFilter"


def alarms(template: Template) -> list[str]:
    """The alarms of a template, by the ids of their constructs."""
    found = template["Resources"].items()
    return [_named(name) for name, item in found if item["Type"] == "AWS::CloudWatch::Alarm"]


def _named(logical_id: str) -> str:
    """The id of a construct of the monitoring, to which the CDK adds its parent and a digest."""
    return re.sub(r"^Monitoring|[0-9A-F]{8}$", "", logical_id)


def dashboard(template: Template) -> str:
    """The dashboard's widgets in their places, each with its title and what it shows, as SVG."""
    [found] = _of_type(template, "AWS::CloudWatch::Dashboard")
    widgets = json.loads(_text(found["DashboardBody"]))["widgets"]
    height = max(widget["y"] + widget["height"] for widget in widgets) * _ROW
    return _lines(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_COLUMNS * _COLUMN} {height}" '
        'font-family="sans-serif" font-size="13">',
        *(line for widget in widgets for line in _widget(widget)),
        indent="  ",
        end="</svg>",
    )


def _widget(widget: Mapping[str, Any]) -> Iterator[str]:
    left, top = widget["x"] * _COLUMN, widget["y"] * _ROW
    width, height = widget["width"] * _COLUMN, widget["height"] * _ROW
    yield (
        f'<rect x="{left + 4}" y="{top + 4}" width="{width - 8}" height="{height - 8}" rx="4" '
        'fill="#fff" stroke="#8792a2"/>'
    )
    title = escape(widget["properties"]["title"])
    yield f'<text x="{left + 16}" y="{top + 26}" font-weight="bold" fill="#16191f">{title}</text>'
    for number, line in enumerate(_shown(widget), start=1):
        y = top + 26 + number * _LINE
        yield f'<text x="{left + 16}" y="{y}" fill="#545b64">{escape(line)}</text>'


def _shown(widget: Mapping[str, Any]) -> list[str]:
    properties = widget["properties"]
    if widget["type"] == "alarm":
        return [", ".join(map(_named, properties["alarms"]))]
    if widget["type"] == "log":
        return [line.strip() for line in properties["query"].split("|")[1:]]
    limits = properties.get("annotations", {}).get("horizontal", [])
    return [
        *(f"— {options['label']}" for *_, options in properties["metrics"]),
        *(f"-- {limit['label']}: {limit['value']:,}" for limit in limits),
    ]


def _of_type(template: Template, kind: str) -> list[Mapping[str, Any]]:
    found = template["Resources"].values()
    return [resource["Properties"] for resource in found if resource["Type"] == kind]


def _text(value: Any) -> str:
    """A text of a template, with the names of what CloudFormation fills in."""
    match value:
        case str():
            return value
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(_text, parts))
        case {"Fn::GetAtt": [name, _]} | {"Ref": name} | {"Fn::Sub": name}:
            return str(name)
        case {"Fn::FindInMap": [name, *_]}:
            return str(name)
    raise ValueError(f"{value!r} is no text")


def _lines(first: str, *lines: str, indent: str = "    ", end: str | None = None) -> str:
    inner = [f"{indent}{line}" for line in lines]
    return "\n".join([first, *inner, *([end] if end else [])]) + "\n"
