"""Which instance types have local NVMe storage, and so take no key for their volumes.

"You can't request a VolumeKmsKeyId when using an instance type with local storage" (botocore,
``ProcessingClusterConfig.VolumeKmsKeyId``): a hardware module encrypts such storage, with keys that
nobody chooses ("SSD instance store volumes for EC2 instances"). SageMaker says so when it creates
the job.

No package keeps this as data that a synth could read: botocore has it in words, and the SageMaker
SDK in the code of a module that takes two seconds to import. A test compares what stands here with
the SDK's answer and with EC2's own, as moto has recorded it.
"""

import re
from typing import Final

# "Amazon EC2 instance type naming conventions": a d behind the generation is for instance store
# volumes, such as in r5d, g4dn and c6gd.
_SAID_BY_ITS_NAME = re.compile(r"ml\.[a-z]+\d+[a-z]*d[a-z]*\.")

# "Specifications for Amazon EC2 accelerated computing instances", section Instance store
# specifications: those that have it without a d.
_FAMILIES: Final = frozenset({"g5", "g6", "g6e", "g7", "g7e", "p5"})


def has_local_storage(instance_type: str) -> bool:
    """Whether an instance type has local NVMe storage.

    Args:
        instance_type: Such as ``ml.g5.xlarge``. One that is known at deployment only has none.
    """
    if _SAID_BY_ITS_NAME.match(instance_type):
        return True
    return instance_type.removeprefix("ml.").partition(".")[0] in _FAMILIES
