"""What Elasticsearch and OpenSearch are told about our events: index templates made from the catalogue of fields."""

from jwtrail.elastic.address import Flavour
from jwtrail.elastic.template import index_body, index_template

__all__ = ["Flavour", "index_body", "index_template"]
