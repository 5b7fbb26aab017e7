#!/usr/bin/env bash
# The storefront's line by hand: what Regreen's activities do, step after step, with the same tools
# and options. `benchmarks/line.py` runs it and gives it its folders and tools in the environment:
#   REPOSITORY  the repository whose HEAD is released
#   WORK        a folder that this run makes and that must not exist yet
#   KEPT        a folder for what stays between runs: environment, package cache, signing key
#   SOURCE      where the source is checked out; the environment's editable install points there
#   PORT        a free port for the service under load
#   GIT_SETTINGS, INTERPRETER, TOOLS_PYTHON, UV, RUFF, K6, GITLEAKS, SYFT, TRIVY, COSIGN
#   TRIVY_DATABASE  a cache folder of trivy with its database; empty: trivy is left out, as by Regreen
# opengrep has nothing to examine in the storefront, whose only script is that of the load test.
# Every step appends "name start end" (seconds since the epoch) to $WORK/steps.
set -euo pipefail

export GIT_CONFIG_GLOBAL=$GIT_SETTINGS GIT_CONFIG_SYSTEM=/dev/null LC_ALL=C.UTF-8 TZ=UTC CI=true
export UV_CACHE_DIR=$KEPT/uv UV_LINK_MODE=copy UV_NO_CONFIG=1 UV_PYTHON_DOWNLOADS=never NO_COLOR=1
export K6_NO_USAGE_REPORT=true SYFT_CHECK_FOR_APP_UPDATE=false
export SYFT_FILE_METADATA_SELECTION=none SYFT_RELATIONSHIPS_PACKAGE_FILE_OWNERSHIP=false

environment=$KEPT/environment
python=$environment/bin/python
results=$WORK/results
logs=$WORK/logs
mkdir -p "$results" "$logs" "$KEPT/home"
export HOME=$KEPT/home

step() {
    local name=$1 start=$EPOCHREALTIME
    shift
    if ! "$@" >"$logs/$name" 2>&1; then
        echo "$name failed:" >&2
        tail -5 "$logs/$name" >&2
        exit 1
    fi
    echo "$name $start $EPOCHREALTIME" >>"$WORK/steps"
}

fetch() {
    git init --quiet --bare "$WORK/fetched.git"
    git -C "$WORK/fetched.git" fetch --quiet --tags "$REPOSITORY" '+refs/*:refs/fetched/*'
    git -C "$WORK/fetched.git" update-ref refs/heads/source "$(git -C "$REPOSITORY" rev-parse HEAD)"
    git -C "$WORK/fetched.git" bundle create --quiet "$WORK/source.bundle" refs/heads/source \
        $(git -C "$WORK/fetched.git" tag --merged source | sed 's,^,refs/tags/,')
    rm -rf "$SOURCE"
    git init --quiet "$SOURCE"
    git -C "$SOURCE" fetch --quiet --no-tags "$WORK/source.bundle" 'refs/*:refs/*'
    git -C "$SOURCE" checkout --quiet --detach refs/heads/source
}

build() {
    if [ ! -e "$environment/.complete" ]; then
        "$UV" venv --quiet --allow-existing --python "$INTERPRETER" "$environment"
        "$UV" pip install --quiet --compile-bytecode --python "$python" -e "$SOURCE" \
            'pytest>=7.4' 'pytest-reportlog>=0.4' 'coverage>=7.6'
        touch "$environment/.complete"
    fi
    git ls-files -z -- 'src/*.py' | "$python" -I -c '
import sys
for path in filter(None, sys.stdin.read().split("\0")):
    compile(open(path, "rb").read(), path, "exec", dont_inherit=True)'
}

tests() {
    local stage=$1 folder=$results/$1
    mkdir "$folder"
    printf '[run]\nbranch = true\nsource = .\nomit =\n  */tests/*\n  */test_*\n  setup.py\n' \
        >"$folder/coverage.ini"
    PYTHONPATH=$SOURCE/src:$SOURCE PYTHONHASHSEED=0 "$python" -m coverage run \
        --rcfile="$folder/coverage.ini" --data-file="$folder/coverage.data" -m pytest \
        -q -rN --color=no --tb=auto --maxfail=0 --continue-on-collection-errors \
        -p no:cacheprovider -p no:randomly --report-log="$folder/report.jsonl" "tests/$stage"
    # The end-to-end tests execute the sources in another process, which leaves nothing to report.
    "$python" -m coverage json --quiet -o "$folder/coverage.json" \
        --rcfile="$folder/coverage.ini" --data-file="$folder/coverage.data" || true
}

lint() {
    "$RUFF" check --no-cache --no-fix --output-format json --output-file "$results/ruff.json" .
}

coverage() {
    local found=("$results"/*/coverage.data)
    "$python" -m coverage combine --quiet --keep --data-file="$results/coverage.data" "${found[@]}"
    "$python" -m coverage report --data-file="$results/coverage.data" \
        --rcfile="$results/unit/coverage.ini" --fail-under=80
}

load() {
    "$python" -m storefront --port "$PORT" --database "$WORK/storefront.sqlite3" &
    local service=$!
    until (exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; do
        kill -0 "$service"
        sleep 0.05
    done
    local code=0
    "$K6" run --quiet --no-color --address= --env="BASE_URL=http://127.0.0.1:$PORT" \
        --summary-export="$results/k6.json" --out "json=$results/k6-samples.json.gz" \
        load/checkout.js || code=$?
    kill "$service"
    wait "$service" || true
    return "$code"
}

secrets() {
    "$GITLEAKS" "$1" . --no-banner --no-color --redact --exit-code 3 \
        --report-format json --report-path "$results/gitleaks-$1.json"
}

analysis() {
    "$TOOLS_PYTHON" -I -m bandit --quiet --exclude // --format json --output "$results/bandit.json" \
        $(git ls-files -- 'src/*.py')
}

dependencies() {
    list_components "$environment" environment 0 "$results/dependencies"
}

known_vulnerabilities() {
    mkdir "$WORK/trivy"
    ln -s "$TRIVY_DATABASE/db" "$WORK/trivy/db"
    "$TRIVY" sbom --quiet --cache-dir "$WORK/trivy" --skip-db-update --skip-java-db-update \
        --offline-scan --skip-version-check --disable-telemetry --list-all-pkgs --format json \
        --exit-code 7 --output "$results/trivy.json" "$results/dependencies.cdx.json"
}

package() {
    local number epoch
    epoch=$(git show -s --format=%ct HEAD)
    for number in 1 2; do
        git clone --quiet "$SOURCE" "$WORK/place-$number"
        SOURCE_DATE_EPOCH=$epoch "$UV" build --no-progress --python "$INTERPRETER" \
            --out-dir "$results/dist-$number" "$WORK/place-$number"
    done
    diff --brief --recursive "$results/dist-1" "$results/dist-2" || true
    "$UV" venv --quiet --python "$INTERPRETER" "$results/clean"
    "$UV" pip install --no-progress --python "$results/clean/bin/python" "$results"/dist-1/*.whl
    (cd / && "$results/clean/bin/python" -c 'import storefront')
}

list_components() {
    "$SYFT" scan "dir:$1" --quiet --source-name "$2" --source-version "$3" \
        --override-default-catalogers python-installed-package-cataloger \
        --output "cyclonedx-json=$4.cdx.json" --output "spdx-json=$4.spdx.json"
}

bills_of_materials() {
    "$UV" pip install --no-progress --no-installer-metadata --python "$INTERPRETER" \
        --target "$results/product" "$results"/dist-1/*.whl
    list_components "$results/product" storefront 0.2.0 "$results/storefront-0.2.0"
}

notes() {
    git log --no-merges --format='- %s (%h)' v0.1.0..HEAD >"$results/RELEASE_NOTES.md"
}

# Both generations of cosign, as in activities/cosign.py; asked once, like there.
cosign_options() {
    export COSIGN_PASSWORD=benchmark
    if [ ! -e "$KEPT/cosign.key" ]; then
        "$COSIGN" generate-key-pair --output-key-prefix "$KEPT/cosign"
        "$COSIGN" sign-blob --help >"$KEPT/cosign-help" 2>&1
        echo '{"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",' \
            '"rekorTlogConfig": {}, "tsaConfig": {}}' >"$KEPT/signing-config.json"
        echo '{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}' \
            >"$KEPT/trusted-root.json"
    fi
    signing=(--tlog-upload=false --new-bundle-format)
    verifying=(--insecure-ignore-tlog=true --trusted-root "$KEPT/trusted-root.json")
    if grep -q -e --signing-config "$KEPT/cosign-help"; then
        signing=(--signing-config "$KEPT/signing-config.json")
        signing+=(--trusted-root "$KEPT/trusted-root.json")
    else
        verifying+=(--new-bundle-format)
    fi
}

sign() {
    cosign_options
    mkdir "$WORK/draft"
    cp "$results"/dist-1/*.whl "$results"/dist-1/*.tar.gz "$results"/storefront-0.2.0.*.json \
        "$results/RELEASE_NOTES.md" "$WORK/draft"
    cd "$WORK/draft"
    local file
    for file in *; do
        "$COSIGN" sign-blob --yes --key "$KEPT/cosign.key" "${signing[@]}" \
            --bundle "$file.bundle" "$file"
    done
}

# As activities/cosign.py does: provenance and both bills of materials, of each package.
attest() {
    cosign_options
    cd "$WORK/draft"
    echo '{"buildDefinition": {"buildType": "https://example.invalid/line.sh"}}' \
        >"$results/provenance.json"
    local package
    for package in *.whl *.tar.gz; do
        attested "$package" provenance https://slsa.dev/provenance/v1 "$results/provenance.json"
        attested "$package" cdx https://cyclonedx.org/bom storefront-0.2.0.cdx.json
        attested "$package" spdx https://spdx.dev/Document storefront-0.2.0.spdx.json
    done
}

attested() {
    "$COSIGN" attest-blob --yes --key "$KEPT/cosign.key" "${signing[@]}" --type "$3" \
        --predicate "$4" --bundle "$1.$2.sigstore.json" "$1"
}

checksums() {
    cosign_options
    cd "$WORK/draft"
    cp "$KEPT/cosign.pub" .
    sha256sum -- * >"$WORK/SHA256SUMS"
    mv "$WORK/SHA256SUMS" .
    "$COSIGN" sign-blob --yes --key "$KEPT/cosign.key" "${signing[@]}" \
        --bundle SHA256SUMS.bundle SHA256SUMS
}

publish() {
    git -C "$REPOSITORY" -c user.name=Benchmark -c user.email=benchmark@example.invalid \
        tag -a -m v0.2.0 v0.2.0 HEAD
    sync "$WORK"/draft/* "$WORK/draft"
    mv "$WORK/draft" "$WORK/release"
    sync "$WORK"
}

verify() {
    cosign_options
    cd "$WORK/release"
    sha256sum --check --quiet SHA256SUMS
    local bundle
    for bundle in *.bundle; do
        "$COSIGN" verify-blob --key cosign.pub --bundle "$bundle" "${verifying[@]}" \
            "${bundle%.bundle}"
    done
    for bundle in *.provenance.sigstore.json; do
        verify_attested "${bundle%.provenance.sigstore.json}" provenance \
            https://slsa.dev/provenance/v1
        verify_attested "${bundle%.provenance.sigstore.json}" cdx https://cyclonedx.org/bom
        verify_attested "${bundle%.provenance.sigstore.json}" spdx https://spdx.dev/Document
    done
}

verify_attested() {
    "$COSIGN" verify-blob-attestation --key cosign.pub --bundle "$1.$2.sigstore.json" --type "$3" \
        "${verifying[@]}" "$1"
}

step fetch fetch
cd "$SOURCE"
step build build
step unit tests unit
step integration tests integration
step e2e tests e2e
step lint lint
step coverage coverage
step load load
step gitleaks-dir secrets dir
step gitleaks-git secrets git
step bandit analysis
step dependencies dependencies
if [ -n "$TRIVY_DATABASE" ]; then
    step trivy known_vulnerabilities
fi
step package package
step syft bills_of_materials
step notes notes
step sign sign
step attest attest
step checksums checksums
step publish publish
step verify verify
