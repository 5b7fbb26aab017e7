#!/bin/sh
# Create the namespace and the search attributes of Regreen's runs. Safe to repeat.
set -eu
temporal operator namespace describe --namespace default >/dev/null 2>&1 ||
    temporal operator namespace create --namespace default --retention 30d
for name in Repository Ref Commit Stage State PullRequest; do
    temporal operator search-attribute create --namespace default --name "Regreen$name" --type Keyword
done
temporal operator search-attribute create --namespace default --name RegreenHealAttempts --type Int
