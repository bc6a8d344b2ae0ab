"""Icons of labels in Home Assistant (Material Design Icons)."""

from ast_edge.model.label import Label

ICONS: dict[str, frozenset[str]] = {
    icon: frozenset(words.split())
    for icon, words in {
        "mdi:smoke-detector-variant-alert": "smoke fire",
        "mdi:doorbell": "doorbell ding",
        "mdi:alarm-light": "siren",
        "mdi:alarm-bell": "alarm alarms buzzer",
        "mdi:phone-ring": "telephone ringtone",
        "mdi:glass-fragile": "glass shatter breaking",
        "mdi:pistol": "gunshot gunfire",
        "mdi:firework": "fireworks firecracker explosion",
        "mdi:baby-face-outline": "baby infant babbling",
        "mdi:human-child": "children child",
        "mdi:dog": "dog bark howl growling whimper yip",
        "mdi:cat": "cat meow purr hiss caterwaul",
        "mdi:bird": "bird birds chirp crow crowing owl pigeon",
        "mdi:emoticon-happy-outline": "laughter giggle chuckle",
        "mdi:account-alert": "screaming shout yell",
        "mdi:account-voice": "speech conversation voice whispering",
        "mdi:face-mask": "cough sneeze sniff wheeze",
        "mdi:sleep": "snoring",
        "mdi:walk": "walk footsteps run",
        "mdi:music": "music singing guitar piano drum",
        "mdi:door": "door knock slam",
        "mdi:key": "keys",
        "mdi:keyboard": "keyboard typing",
        "mdi:clock-outline": "clock tick tock",
        "mdi:silverware": "dishes cutlery",
        "mdi:vacuum": "vacuum",
        "mdi:saw-blade": "drill jackhammer chainsaw sawing hammer",
        "mdi:weather-lightning": "thunder thunderstorm",
        "mdi:weather-pouring": "rain raindrop",
        "mdi:weather-windy": "wind",
        "mdi:water": "water drip tap toilet bathtub",
        "mdi:air-conditioner": "conditioning fan",
        "mdi:airplane": "aircraft airplane helicopter",
        "mdi:train": "train rail subway",
        "mdi:car": "vehicle car traffic engine idling horn truck motorcycle bus",
    }.items()
}
"""An icon is that of a label whose name has one of the words; the first that fits is taken."""

DEFAULT = "mdi:ear-hearing"


def icon(label: Label) -> str:
    """Return the icon that fits the label's name best."""
    words = set(label.slug.split("_"))
    return next((name for name, fitting in ICONS.items() if words & fitting), DEFAULT)
