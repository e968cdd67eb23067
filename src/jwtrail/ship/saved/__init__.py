"""Data view, saved searches, visualizations and dashboards for Kibana and OpenSearch Dashboards, made from one table."""

from jwtrail.ship.saved.objects import saved_objects, written

__all__ = ["saved_objects", "written"]
