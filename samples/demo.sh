#!/bin/sh
# The demo: one invented labour contract from Word to an archived, stamped, two-party PDF, and what was checked of it.
set -eu
out=out
mkdir -p "$out"
SEALFLOW_HOME=${SEALFLOW_HOME:-$(pwd)/$out/home}
export SEALFLOW_HOME
sealflow run labour-contract samples/labour-contract.docx --values samples/labour-contract.values.json \
    -o "$out/contract.pdf" "$@"
sealflow verify "$out/contract.pdf" --html "$out/checked.html"
sealflow check "$out/contract.pdf"
printf '\n%s\n%s\n' "$out/contract.pdf" "$out/checked.html"
