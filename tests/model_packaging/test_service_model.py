from botocore.loaders import Loader

from model_packaging.step import service_model


def test_the_model_is_the_one_that_botocore_loads() -> None:
    loader = Loader(
        extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False
    )
    assert service_model._description() == loader.load_service_model("sagemaker", "service-2")


def test_a_shape_has_what_botocore_reads_of_it() -> None:
    assert "ml.m5.xlarge" in service_model.choices("ProcessingInstanceType")
    assert service_model.choices("ProcessingEnvironmentKey") == ()
    assert service_model.limits("PipelineName") == (1, 256)
    assert service_model.limits("ProcessingInputs") == (0, 10)
    assert service_model.pattern("PipelineName") == "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}"
    assert service_model.pattern("ProcessingInputs") is None
