"""Certificates by which a server inside a cluster and those who may ask it know each other.

Their keys are kept nowhere but in the cluster's secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

YEARS_DAYS = 3650


def own_certificates(server_name: str) -> Mapping[str, str]:
    """An authority that signs two certificates and is forgotten: the server's, and the one that every node shows."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = datetime.now(UTC)

    def key() -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    def pem(private: ec.EllipticCurvePrivateKey) -> str:
        form, encoding = serialization.PrivateFormat.PKCS8, serialization.Encoding.PEM
        return private.private_bytes(encoding, form, serialization.NoEncryption()).decode()

    def called(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    authority, issuer = key(), called("windlass cluster")

    def signed(
        subject: x509.Name, public: ec.EllipticCurvePublicKey, extensions: list[tuple[x509.ExtensionType, bool]]
    ) -> str:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=YEARS_DAYS))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()

    server, client = key(), key()
    return {
        "ca.pem": signed(issuer, authority.public_key(), [(x509.BasicConstraints(ca=True, path_length=0), True)]),
        "server.pem": signed(
            called(server_name),
            server.public_key(),
            [
                (x509.SubjectAlternativeName([x509.DNSName(server_name)]), False),
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            ],
        ),
        "server.key": pem(server),
        "client.pem": signed(
            called("node"), client.public_key(), [(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)]
        )
        + pem(client),
    }
