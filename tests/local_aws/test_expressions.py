import pytest

from local_aws.expressions import ExpressionError, parameter_values, resolve

DEFINITION = {
    "Parameters": [
        {"Name": "Key", "Type": "String"},
        {"Name": "Mode", "Type": "String", "DefaultValue": "auto"},
    ]
}


def test_joins_parameters_and_variables_are_resolved() -> None:
    arguments = {
        "Uri": {"Std:Join": {"On": "/", "Values": ["s3:/", {"Get": "Parameters.Key"}, 7]}},
        "List": [{"Get": "Execution.PipelineExecutionId"}, None, True],
    }
    variables = {"Parameters.Key": "models/a", "Execution.PipelineExecutionId": "abc"}
    assert resolve(arguments, variables) == {"Uri": "s3://models/a/7", "List": ["abc", None, True]}


def test_what_is_not_known_is_named() -> None:
    with pytest.raises(ExpressionError, match=r"nothing is known at 'Steps\.Train\.X'"):
        resolve({"Get": "Steps.Train.X"}, {})
    with pytest.raises(ExpressionError, match="Std:JsonGet"):
        resolve({"Std:JsonGet": {"PropertyFile": {}, "Path": "a"}}, {})


def test_parameters_take_given_values_and_defaults() -> None:
    given = [{"Name": "Key", "Value": "models/a"}]
    assert parameter_values(DEFINITION, given) == {"Key": "models/a", "Mode": "auto"}


def test_a_missing_or_undeclared_parameter_is_named() -> None:
    with pytest.raises(ExpressionError, match="requires a value for Key"):
        parameter_values(DEFINITION, [])
    with pytest.raises(ExpressionError, match="has no parameter Kay"):
        parameter_values(DEFINITION, [{"Name": "Kay", "Value": ""}])
