// Verifies each bundle of a release folder with sigstore's own JavaScript library, without network.
// node sigstore_verify.js FOLDER; prints what is refused, one line each, and exits with 1 then.
const { createHash, createPublicKey } = require('crypto');
const { existsSync, readFileSync, readdirSync } = require('fs');
const { join } = require('path');
const { bundleFromJSON } = require('@sigstore/bundle');
const { TrustedRoot } = require('@sigstore/protobuf-specs');
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');

const folder = process.argv[2];
const key = join(folder, 'cosign.pub');
const publicKey = existsSync(key) ? createPublicKey(readFileSync(key)) : undefined;
const named = join(folder, 'cosign.identity');
const [identity, issuer] = existsSync(named) ? readFileSync(named, 'utf8').split('\n') : [];
const own = join(folder, 'trusted-root.json');
const root = existsSync(own)
    ? JSON.parse(readFileSync(own))
    : { mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1' };
const trust = toTrustMaterial(
    TrustedRoot.fromJSON(root),
    () => ({ publicKey, validFor: () => true }),
);
// The time that a log promises counts as a time-stamp here.
const logs = (root.tlogs || []).length;
const stamps = logs + (root.timestampAuthorities || []).length;
const promises = identity ? (root.ctlogs || []).length : 0;
const wanted = { tlogThreshold: logs, ctlogThreshold: promises, timestampThreshold: stamps };
const policy = identity
    ? { subjectAlternativeName: identity, extensions: { issuer } }
    : undefined;
const attestation = /\.(provenance|cdx\.json|spdx\.json)\.sigstore\.json$/;

let count = 0;
for (const name of readdirSync(folder, { recursive: true }).sort()) {
    if (!name.endsWith('.bundle') && !attestation.test(name)) continue;
    count += 1;
    const about = readFileSync(join(folder, name.replace(attestation, '').replace(/\.bundle$/, '')));
    try {
        const bundle = bundleFromJSON(JSON.parse(readFileSync(join(folder, name))));
        new Verifier(trust, wanted).verify(toSignedEntity(bundle, about), policy);
        if (attestation.test(name)) {
            const payload = JSON.parse(bundle.content.dsseEnvelope.payload);
            const digest = createHash('sha256').update(about).digest('hex');
            if (payload.subject[0].digest.sha256 !== digest) throw new Error('another subject');
        }
    } catch (error) {
        console.log(`${name}: ${error.code || ''} ${error.message}`);
        process.exitCode = 1;
    }
}
console.log(`${count} bundles`);
