#!/bin/sh
# Verifies this release folder offline with sha256sum and cosign (2.5 or later), nothing else:
#     sh verify.sh [PUBLIC_KEY [TRUSTED_ROOT]]
#     sh verify.sh --identity IDENTITY ISSUER TRUSTED_ROOT     a release signed without a key
# Without PUBLIC_KEY or IDENTITY the folder's own is used: that shows that the folder is whole, not
# who made it. TRUSTED_ROOT names the transparency log and the authorities to trust.
set -eu
here=$PWD
refuse() {
    echo "NOT VERIFIED: $1" >&2
    exit 1
}
key=
identity=
issuer=
if [ "${1-}" = --identity ]; then
    [ $# -eq 4 ] && [ -n "$2" ] && [ -n "$3" ] && [ -n "$4" ] ||
        refuse "--identity takes IDENTITY ISSUER TRUSTED_ROOT"
    identity=$2
    issuer=$3
    root=$4
else
    key=${1-}
    root=${2-}
fi
case $key in "" | /*) ;; *) key=$here/$key ;; esac
case $root in "" | /*) ;; *) root=$here/$root ;; esac
cd "$(dirname "$0")"
own=
if [ -z "$key$identity" ]; then
    if [ -f cosign.identity ]; then
        { read -r identity && read -r issuer; } <cosign.identity ||
            refuse "cosign.identity does not name an identity and its issuer"
        own=" (the folder's own identity: whole, but not shown who made it)"
    else
        key=cosign.pub
        own=" (the folder's own key: whole, but get the key from somewhere you trust)"
    fi
fi
if [ -n "$key" ]; then
    [ -f "$key" ] || refuse "$key: no such key"
    cmp -s "$key" cosign.pub || refuse "cosign.pub is not the key to trust"
    [ ! -e cosign.identity ] || refuse "cosign.identity: the release is to be signed with a key"
else
    [ ! -e cosign.pub ] || refuse "cosign.pub: the release is to be signed by an identity"
    printf '%s\n%s\n' "$identity" "$issuer" | cmp -s - cosign.identity ||
        refuse "cosign.identity is not the identity to trust"
fi
if [ -n "$root" ]; then
    [ -f "$root" ] || refuse "$root: no such trusted root"
elif [ -f trusted-root.json ]; then
    root=trusted-root.json
    if [ -n "$identity" ]; then
        words="transparency log, time-stamps and certificates"
    else
        words="transparency log and time-stamps"
    fi
    own="$own ($words by the folder's own word)"
else
    root=$(mktemp)
    trap 'rm -f "$root"' EXIT
    echo '{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}' >"$root"
fi
names() { # whether the trusted root has such services
    tr -d ' \t\n' <"$root" | grep -q -F -e "\"$1\":[{"
}
log=
names tlogs || log=--insecure-ignore-tlog=true
stamps=
if names timestampAuthorities; then stamps=--use-signed-timestamps; fi
promise=
if [ -n "$identity" ]; then
    [ -z "$log" ] || [ -n "$stamps" ] || refuse "$root: does not show when it was signed"
    names ctlogs || promise=--insecure-ignore-sct=true
fi
format=
if cosign verify-blob --help 2>&1 | grep -q -e '--new-bundle-format='; then
    format=--new-bundle-format
fi
good() { # COMMAND... with the bundle and the file as its last arguments
    if [ -n "$identity" ]; then
        set -- "$@" --certificate-identity "$identity" --certificate-oidc-issuer "$issuer" $promise
    else
        set -- "$@" --key "$key"
    fi
    said=$("$@" 2>&1) || refuse "$name: $(echo "$said" | tail -n 1)"
}
signature() {
    name=$1
    [ -f "$1.bundle" ] || refuse "$1: has no signature, $1.bundle is missing"
    good cosign verify-blob $format --trusted-root "$root" $log $stamps --bundle "$1.bundle" "$1"
}
attestation() { # FILE SUFFIX TYPE
    name=$1
    good cosign verify-blob-attestation $format --trusted-root "$root" $log $stamps \
        --type "$3" --bundle "$1" "${1%"$2"}"
}
base64_of_digest() { # reads what is digested, and writes its SHA-256 as bundles have it
    sha256sum | awk '{
        digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        digest = substr($0, 1, 64) "00"
        for (place = 1; place < 65; place += 3) {
            bits = 0
            for (digit = place; digit < place + 3; digit++)
                bits = bits * 16 + index("0123456789abcdef", substr(digest, digit, 1)) - 1
            text = text substr(digits, int(bits / 64) + 1, 1) substr(digits, bits % 64 + 1, 1)
        }
        print substr(text, 1, 43) "="
    }'
}
files=$(find . ! -type d | sed 's,^\./,,' | sort)
for file in $files; do
    [ -f "$file" ] && [ ! -L "$file" ] || refuse "$file: is not a regular file"
done
signature SHA256SUMS
# No list has its bundle's digest, and cosign passes by what the bundle names of key and file.
signer='"certificate":'
if [ -n "$key" ]; then
    signer="\"hint\":\"$(sed '/^-/d' "$key" | base64 -d | base64_of_digest)\""
fi
for said in '"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"' "$signer" \
    "\"algorithm\":\"SHA2_256\",\"digest\":\"$(base64_of_digest <SHA256SUMS)\""; do
    tr -d ' \t\n' <SHA256SUMS.bundle | grep -q -F -e "$said" ||
        refuse "SHA256SUMS.bundle: does not say $said"
done
sha256sum --check --strict --quiet SHA256SUMS || refuse "SHA256SUMS does not match"
count=0
for file in $files; do
    count=$((count + 1))
    case $file in
    SHA256SUMS | SHA256SUMS.bundle) continue ;;
    esac
    cut -c 67- SHA256SUMS | grep -q -x -F -e "$file" || refuse "$file: is not listed in SHA256SUMS"
    case $file in
    *.bundle | cosign.pub | cosign.identity | trusted-root.json | verify.sh) ;;
    *.provenance.sigstore.json) attestation "$file" .provenance.sigstore.json slsaprovenance1 ;;
    *.cdx.json.sigstore.json) attestation "$file" .cdx.json.sigstore.json cyclonedx ;;
    *.spdx.json.sigstore.json) attestation "$file" .spdx.json.sigstore.json spdxjson ;;
    *) signature "$file" ;;
    esac
done
echo "verified: $count files$own"
