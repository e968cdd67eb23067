"""Autonomous systems of hosting providers.

Compiled for this package from the public registries' records of who holds which number; facts, under the package's licence.
Numbers change hands seldom; `enrich.hosting_asns` adds others.
"""

__all__ = ["HOSTING"]

HOSTING: frozenset[int] = frozenset(
    {
        8075,  # Microsoft
        8560,  # IONOS
        8972,  # Host Europe
        9009,  # M247
        12876,  # Scaleway
        13335,  # Cloudflare
        14061,  # DigitalOcean
        14618,  # Amazon
        15169,  # Google
        16276,  # OVH
        16509,  # Amazon
        20473,  # Vultr
        20940,  # Akamai
        24940,  # Hetzner
        26496,  # GoDaddy
        31898,  # Oracle
        36351,  # IBM Cloud
        37963,  # Alibaba
        45102,  # Alibaba
        51167,  # Contabo
        54113,  # Fastly
        60068,  # Datacamp
        60781,  # Leaseweb
        63949,  # Linode
        132203,  # Tencent
        197540,  # netcup
        202425,  # IP Volume
        212238,  # Datacamp
        213230,  # Hetzner
        396982,  # Google Cloud
    }
)
