"""Where events go besides MQTT."""
