"""CloudFormation resources that moto leaves out, or of which it drops properties or updates.

Each is made through the service's own API, as CloudFormation's resource providers do it. A
property that a class here does not know fails the deployment; nothing is skipped. A type that has
no class here is refused before (``local_aws/cloudformation/unknown_types.py``).
"""

from local_aws.resources import (
    custom,
    identity,
    messaging,
    monitoring,
    network,
    pipelines,
    registry,
    schedules,
    storage,
)
from local_aws.resources.base import Resource

RESOURCES: tuple[type[Resource], ...] = (
    custom.AutoDeleteObjects,
    custom.Function,
    custom.LogRetention,
    custom.RestrictDefaultSecurityGroup,
    identity.ManagedPolicy,
    identity.Policy,
    identity.Role,
    messaging.Queue,
    messaging.QueuePolicy,
    messaging.Rule,
    messaging.Subscription,
    messaging.Topic,
    messaging.TopicPolicy,
    monitoring.Alarm,
    monitoring.Dashboard,
    monitoring.LogGroup,
    monitoring.MetricFilter,
    network.FlowLog,
    network.RouteTable,
    network.SecurityGroup,
    network.SecurityGroupEgress,
    network.SecurityGroupIngress,
    network.Subnet,
    network.SubnetRouteTableAssociation,
    network.Vpc,
    network.VpcEndpoint,
    pipelines.Pipeline,
    registry.ModelPackageGroup,
    schedules.Schedule,
    storage.Alias,
    storage.Bucket,
    storage.BucketPolicy,
    storage.Key,
)
