// What CloudFormation does to each resource, by the library that `cdk diff` uses, which knows from
// AWS's resource specification which properties replace a resource.
// Reads a line {"old": template, "new": template} for each question; answers each with a line of
// JSON: the resources that differ.
'use strict';

const { createInterface } = require('node:readline');
const { fullDiff } = require('@aws-cdk/cloudformation-diff');

createInterface({ input: process.stdin }).on('line', (line) => {
  const { old, new: next } = JSON.parse(line);
  const found = {};
  fullDiff(old, next).resources.forEachDifference((logicalId, change) => {
    const properties = {};
    for (const [name, difference] of Object.entries(change.propertyUpdates)) {
      properties[name] = difference.changeImpact;
    }
    found[logicalId] = {
      impact: change.changeImpact,
      properties,
      other: Object.keys(change.otherChanges),
    };
  });
  process.stdout.write(`${JSON.stringify(found)}\n`);
});
