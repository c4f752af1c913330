"""Who is who in the real videos: part of a path -> person, for measures that leave people out."""

PEOPLE = {
    "May_5s": "may",
    "EAMM/test/video/happy": "happy",
    "driving/d10": "d10",
    "driving/d11": "d11",
    "driving/d18": "d18",
    "source/s18": "s18",
    "M003_level": "M003",
    "M030_": "M030",
    "W009_": "W009",
    "W011_": "W011",
    "W036_": "W036",
    "GRID/bbaf2n": "grid1",
    "GRID/brbk7n": "grid2",
    "GRID/lbax4n": "grid3",
    "GRID/lwbsza": "grid4",
    "GRID/sbia1a": "grid5",
    "face/1.mp4": "retalking1",
    "face/2.mp4": "retalking2",
    "face/4.mp4": "retalking4",
    "face/5.mp4": "retalking5",
    "single_face": "single",
    "vidtimit_fadg0": "fadg0",
    "cnn2_25fps": "cnn2",
    "subtitleEffect/obama": "obama",
    "face_recognition/videos/obama": "obama",
    "demo@obama": "obama",
    "obama2s": "obama",
    "face2face-demo/obama": "obama",
    "demo1_video": "latentsync",
    "WDA_KatieHill": "katie",
    "samples/default.wmv": "openface",
    "samples/changeLighting": "openface",
}


def find_person(name: str) -> str | None:
    """The person in a video, by its path; None where that is not known."""
    return next((person for part, person in PEOPLE.items() if part in name), None)
