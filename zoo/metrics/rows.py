"""The rows of the table of metrics, and the arrays that they need.

Legend: n frames, S samples of sound, H × W pixels. "real" is the video of the same speech that a
generated one is set beside.
"""

from typing import Literal

Better = Literal["higher", "lower", "near"]
Per = Literal["picture", "frame", "clip", "set"]
Row = tuple[str, str, str, str, Better, tuple[str, ...], Per, str]
"""The fields of `table.Metric`, in their order."""

DISTANCES, ARCFACE, FACENET = "sync_distances", "arcface_features", "facenet_features"
LPIPS_ALEX, LPIPS_VGG = "lpips_alex", "lpips_vgg"
INCEPTION = "inception_features"
"""Arrays of the judges that a user gives."""

COMPARING = frozenset(("squared_errors", LPIPS_ALEX, LPIPS_VGG))
"""Arrays that are made of the video and the real one together."""

ARRAYS: dict[str, str] = {
    "frames": "one picture (H, W, 3) uint8 RGB",
    "real_frames": "the real picture of the same moment and size, (H, W, 3) uint8 RGB",
    "squared_errors": "(n,) mean squared difference of each pair of pictures, squared levels",
    "landmarks": "(n, 478, 3) face mesh, px of the picture; NaN in frames without a face",
    "real_landmarks": "(n, 478, 3) of the real video, px of pictures of the same size",
    "picture_size": "width and height of the pictures that the landmarks are in, px",
    "pose": "(n, 6) head pose: pitch, yaw, roll rad; tx, ty, tz mm; NaN where there is none",
    "real_pose": "(n, 6) of the real video",
    "expression": "(n, 64) expression coefficients, standard deviations",
    "real_expression": "(n, 64) of the real video",
    "au45": "(n,) intensity of the blink, 0 to 5; NaN where it was not measured",
    "real_au45": "(n,) of the real video",
    "ear": "(n, 2) eye aspect ratio, left and right; NaN where it was not measured",
    "real_ear": "(n, 2) of the real video",
    "identity_features": "(n, 128) numbers of the face by dlib's recogniser (extra `identity`); "
    "NaN in frames without a face",
    "real_identity_features": "(n, 128) of the real video, by the same weights",
    "identity_maps": "of one picture, its maps at five depths in that network, (C, h, w) each",
    "real_identity_maps": "of the real picture of the same moment, by the same weights",
    ARCFACE: "(n, 512) numbers of the face by the ArcFace file that is given, whose name and "
    "digest belong to every value; NaN in frames without a face",
    f"real_{ARCFACE}": "(n, 512) of the real video, by the same file",
    FACENET: "(n, 512) numbers of length 1 of the face by the FaceNet file that is given, whose "
    "name and digest belong to every value; NaN in frames without a face",
    f"real_{FACENET}": "(n, 512) of the real video, by the same file",
    LPIPS_ALEX: "(n, 5) distances of each pair of pictures at five depths of AlexNet, by the file "
    "that is given, whose name and digest belong to every value",
    LPIPS_VGG: "(n, 5) the same of VGG16",
    INCEPTION: "(N, 2048) numbers of every picture of all videos of a system, by the Inception "
    "file that is given, whose name and digest belong to every value; (N, 8) in the known pair",
    f"real_{INCEPTION}": "(M, 2048) of the real videos, by the same file",
    "pcm": "(S,) int16 sound of the clip, 16 kHz mono",
    "speech": "(n,) bool, whether there is speech in the frame",
    "fps": "frames a second",
    DISTANCES: "(m, 31) distances of lips and sound moved by −15 to +15 frames of 25 a "
    "second, of one judge, whose name and digest belong to every value; NaN where there is no "
    "sound",
    "transcript": "what is said in the video: a–z, apostrophe and single spaces",
    "recognised": "what the judge, Whisper tiny.en (extra `teacher`), reads from the video's whole "
    "sound, likewise",
}
"""Name -> shape, dtype, unit."""

_MESHES = ("landmarks", "real_landmarks")
_CHEN = "Chen et al., ECCV 2018"
_EAT = "EAT (ICCV 2023), EVP (CVPR 2021)"
_WANG = "Wang et al., IEEE TIP 13(4), 2004, eq. 13"
_THEVAL = "THEval (CVPR 2026, arXiv 2511.04520)"
_DAS = "Das et al., ECCV 2020, 4.2"
_CHUNG = "Chung and Zisserman, ACCV workshops 2016; LSE: Prajwal et al., ACM MM 2020"
_ZHANG = "Zhang et al., CVPR 2018"
_DISTANCES = (DISTANCES,)

_PICTURES: tuple[Row, ...] = (
    ("psnr.mean", "peak signal-to-noise ratio of each frame, averaged",
     "zoo.metrics.pictures:measure_psnr", "dB", "higher", ("frames", "real_frames"), "picture",
     "10 log10(255² / MSE)"),
    ("psnr.pooled", "peak signal-to-noise ratio of the squared error of all frames together",
     "zoo.metrics.pictures:pool_psnr", "dB", "higher", ("squared_errors",), "clip",
     "10 log10(255² / mean MSE)"),
    ("ssim.uniform", "structural similarity, windows of 7 × 7, sample covariance; equal to "
     "scikit-image's `structural_similarity` with its defaults",
     "zoo.metrics.pictures:measure_ssim_uniform", "at most 1", "higher",
     ("frames", "real_frames"), "picture", _WANG),
    ("ssim.gaussian", "structural similarity, Gaussian windows of σ 1.5; equal to scikit-image's "
     "with `gaussian_weights`, `use_sample_covariance=False`",
     "zoo.metrics.pictures:measure_ssim", "at most 1", "higher", ("frames", "real_frames"),
     "picture", _WANG),
    ("lpips.alex", "LPIPS, version 0.1, by AlexNet", "zoo.metrics.learned:measure_lpips_alex",
     "none", "lower", (LPIPS_ALEX,), "frame", _ZHANG),
    ("lpips.vgg", "LPIPS, version 0.1, by VGG16", "zoo.metrics.learned:measure_lpips_vgg", "none",
     "lower", (LPIPS_VGG,), "frame", _ZHANG),
    ("fid", "Fréchet distance of a system's pictures to the real ones, of all videos together, by "
     "Inception's 2048 features", "zoo.metrics.frechet:measure_fid", "none", "lower",
     (INCEPTION, f"real_{INCEPTION}"), "set", "Heusel et al., NeurIPS 2017"),
    ("cpbd", "sharpness: the share of edges whose blur is not noticed",
     "zoo.metrics.sharpness:measure_cpbd", "0 to 1", "higher", ("frames",), "picture",
     "Narvekar and Karam, IEEE TIP 20(9), 2011"),
)  # fmt: skip

_LANDMARKS: tuple[Row, ...] = (
    ("lmd.mouth", "landmark distance: 20 points of the lips, each set's own centroid removed, mean "
     "of the points; what others call M-LMD", "zoo.metrics.landmarks:measure_lmd_mouth", "px",
     "lower", _MESHES, "frame", _CHEN),
    ("lmd.mouth.sum", "the same, sum of the 20 points, as ATVGnet's program has it",
     "zoo.metrics.landmarks:sum_lmd_mouth", "px", "lower", _MESHES, "frame", _CHEN),
    ("lmd.mouth.share", "the same as `lmd.mouth`, over the distance of the outer eye corners",
     "zoo.metrics.landmarks:measure_lmd_mouth_share", "share", "lower", _MESHES, "frame", _CHEN),
    ("lmd.face", "landmark distance of all 68 points, each set's own centroid removed, mean; what "
     "others call F-LMD", "zoo.metrics.landmarks:measure_lmd_face", "px", "lower", _MESHES,
     "frame", _EAT),
    ("lmd.face.share", "the same, over the distance of the outer eye corners",
     "zoo.metrics.landmarks:measure_lmd_face_share", "share", "lower", _MESHES, "frame", _EAT),
    ("lvd.mouth", "landmark velocity difference: `lmd.mouth` of the steps between frames",
     "zoo.metrics.landmarks:measure_lvd_mouth", "px", "lower", _MESHES, "frame", _EAT),
    ("lvd.face", "landmark velocity difference: `lmd.face` of the steps between frames",
     "zoo.metrics.landmarks:measure_lvd_face", "px", "lower", _MESHES, "frame", _EAT),
    ("landmark_distance.mouth", "distance of 20 points of the lips, nothing removed: where the "
     "head is counts", "zoo.metrics.landmark_distance:measure_mouth_distance", "px", "lower",
     _MESHES, "frame", "this project"),
    ("landmark_distance.face", "distance of the mesh's 468 vertices, nothing removed",
     "zoo.metrics.landmark_distance:measure_face_distance", "px", "lower", _MESHES, "frame",
     "this project"),
)  # fmt: skip

_COEFFICIENTS: tuple[Row, ...] = (
    ("aed.embedded_l1", "average expression distance: mean absolute difference of the 64 "
     "coefficients of the embedded face model", "zoo.metrics.coefficients:measure_aed_l1", "sd",
     "lower", ("expression", "real_expression"), "frame", "StyleHEAT, ECCV 2022; norm: own"),
    ("aed.embedded_rms", "the same, root of the mean square",
     "zoo.metrics.coefficients:measure_aed_rms", "sd", "lower",
     ("expression", "real_expression"), "frame", "StyleHEAT, ECCV 2022; norm: own"),
    ("apd.angles_l1", "average pose distance: mean absolute difference of pitch, yaw and roll",
     "zoo.metrics.coefficients:measure_apd_l1", "°", "lower", ("pose", "real_pose"), "frame",
     "StyleHEAT, ECCV 2022; norm: own"),
    ("apd.angles_rms", "the same, root of the mean square",
     "zoo.metrics.coefficients:measure_apd_rms", "°", "lower", ("pose", "real_pose"), "frame",
     "StyleHEAT, ECCV 2022; norm: own"),
    ("apd.translation_l1", "mean absolute difference of the three coordinates of the head",
     "zoo.metrics.coefficients:measure_apd_translation", "mm", "lower", ("pose", "real_pose"),
     "frame", "this project"),
    ("mouth.error", "mean distance of the 20 vertices of the lips that expression draws",
     "zoo.metrics.mouth:measure_mouth_error", "mm", "lower",
     ("expression", "real_expression"), "frame", "this project"),
)  # fmt: skip

_BLINKS: tuple[Row, ...] = (
    ("blinks.rate.half", "blinks: peaks of AU45 of at least 1, of 0.07 to 0.5 s at half height",
     "zoo.metrics.blinks:measure_half_rate", "1/s", "near", ("au45", "fps"), "clip",
     "this project"),
    ("blinks.duration.half", "mean time from the first to behind the last frame at half height",
     "zoo.metrics.blinks:measure_half_duration", "s", "near", ("au45", "fps"), "clip",
     "this project"),
    ("blinks.stretches.half", "earth mover's distance between the numbers of blinks in 4-second "
     "stretches, and those of the real video", "zoo.metrics.blinks:compare_half_stretches",
     "blinks", "lower", ("au45", "real_au45", "fps"), "clip", "FACIAL, ICCV 2021, Fig. 9"),
    ("blinks.rate.das", "blinks: sharp drops of the eye aspect ratio",
     "zoo.metrics.aspect_blinks:measure_drop_rate", "1/s", "near", ("ear", "fps"), "clip", _DAS),
    ("blinks.duration.das", "mean time from the start to the end of the drop",
     "zoo.metrics.aspect_blinks:measure_drop_duration", "s", "near", ("ear", "fps"), "clip", _DAS),
    ("blinks.stretches.das", "as `blinks.stretches.half`, of these blinks",
     "zoo.metrics.aspect_blinks:compare_drop_stretches", "blinks", "lower",
     ("ear", "real_ear", "fps"), "clip", "FACIAL, ICCV 2021, Fig. 9"),
)  # fmt: skip

_HEAD_AND_SOUND: tuple[Row, ...] = (
    ("pose.range", "range of pitch, yaw and roll from the 2nd to the 98th percentile, mean of the "
     "three", "zoo.metrics.head:measure_range", "°", "near", ("pose",), "clip",
     "this project"),
    ("pose.speed", "mean angle that the head turns by in a second",
     "zoo.metrics.head:measure_speed", "°/s", "near", ("pose", "fps"), "clip",
     "this project"),
    ("mouth_sound.correlation", "largest correlation of mouth opening and loudness within ±0.3 s",
     "zoo.metrics.mouth_sound:measure_correlation", "−1 to 1", "higher",
     ("landmarks", "pcm", "fps"), "clip", "this project; column `mouth_audio_corr`"),
    ("mouth_sound.lag", "where it stands; over 0 the picture is late; NaN where it is not sure",
     "zoo.metrics.mouth_sound:measure_lag", "s", "near", ("landmarks", "pcm", "fps"), "clip",
     "this project; column `mouth_audio_lag`"),
)  # fmt: skip

_THEVAL_ROWS: tuple[Row, ...] = (
    ("theval.lip_dynamics", "deviation over time of the distance of each pair of 40 lip points, "
     "mean of the pairs, pictures of 256 × 256", "zoo.metrics.theval:measure_lip_dynamics", "px",
     "near", ("landmarks", "picture_size"), "clip", _THEVAL),
    ("theval.eyebrow_dynamics", "mean step of the distance of brow and eye over that of the eyes",
     "zoo.metrics.theval:measure_eyebrow_dynamics", "share", "near", ("landmarks",), "clip",
     _THEVAL),
    ("theval.silent_lips", "silent lip stability: median deviation of the lips' gap from its mean "
     "in silence of at least 0.3 s", "zoo.metrics.theval:measure_silent_lips", "share", "near",
     ("landmarks", "speech", "fps"), "clip", _THEVAL),
    ("theval.lip_sync", "mean difference of mouth opening and loudness, each from 0 to 1, in "
     "speech", "zoo.metrics.theval:measure_lip_sync", "0 to 1", "near",
     ("landmarks", "pcm", "speech", "fps"), "clip", _THEVAL),
    ("theval.head_motion.mesh_pose", "THEval's head motion from the mesh's pose and box: not "
     "comparable with its published values", "zoo.metrics.theval:measure_head_motion", "none",
     "near", ("pose", "landmarks", "picture_size"), "clip", _THEVAL),
)  # fmt: skip

_FEATURES = ("identity_features", "real_identity_features")
_IDENTITY: tuple[Row, ...] = (
    ("identity.csim.dlib", "cosine similarity of the face's features; a stand-in for CSIM, whose "
     "recogniser is ArcFace", "zoo.metrics.identity:measure_cosine", "−1 to 1", "higher",
     _FEATURES, "frame", "CSIM: Zakharov et al., ICCV 2019; network: dlib"),
    ("identity.distance.dlib", "Euclidean distance of the face's features to those of the real "
     "frame", "zoo.metrics.identity:measure_distance", "none", "lower", _FEATURES, "frame",
     "this project; network: dlib"),
    ("identity.acd_pairs.dlib", "average content distance: mean distance of features of all pairs "
     "of frames of the clip; a still picture has 0", "zoo.metrics.identity:measure_acd_pairwise",
     "none", "lower", ("identity_features",), "clip",
     "MoCoGAN: Tulyakov et al., CVPR 2018; network: dlib"),
    ("identity.acd_reference.dlib", "average content distance: that to features of the first real "
     "face; a stand-in for Das et al.'s column FaceNet",
     "zoo.metrics.identity:measure_acd_reference", "none", "lower", _FEATURES, "frame",
     "Vougioukas et al., IJCV 2020; network: dlib"),
    ("identity.map_distance.dlib", "distance of what the recogniser sees in two pictures, at five "
     "depths; a perceptual distance, not LPIPS", "zoo.metrics.identity:measure_map_distance",
     "0 to 2", "lower", ("identity_maps", "real_identity_maps"), "picture",
     "this project; network: dlib"),
    ("identity.csim.arcface", "CSIM: cosine similarity of the face's features by ArcFace",
     "zoo.metrics.identity:measure_csim", "−1 to 1", "higher", (ARCFACE, f"real_{ARCFACE}"),
     "frame", "Zakharov et al., ICCV 2019; network: Deng et al., CVPR 2019"),
    ("identity.distance.facenet", "Euclidean distance of the face's features by FaceNet to those "
     "of the real frame", "zoo.metrics.identity:measure_facenet_distance", "0 to 2", "lower",
     (FACENET, f"real_{FACENET}"), "frame", "FaceNet: Schroff et al., CVPR 2015"),
    ("identity.acd_reference.facenet", "that to FaceNet's features of the first real face; Das et "
     "al.'s column FaceNet", "zoo.metrics.identity:measure_facenet_reference", "0 to 2", "lower",
     (FACENET, f"real_{FACENET}"), "frame", _DAS + "; network: Schroff et al., CVPR 2015"),
)  # fmt: skip

_SYNC: tuple[Row, ...] = (
    ("sync.offset", "AV offset, at 25 a second: 15 less the place of the least mean distance; "
     "negative: the sound is late", "zoo.metrics.sync:measure_offset", "frames", "near",
     _DISTANCES, "clip", _CHUNG),
    ("sync.lse_c", "LSE-C, confidence: median less minimum of the mean distances",
     "zoo.metrics.sync:measure_lse_c", "none", "higher", _DISTANCES, "clip", _CHUNG),
    ("sync.lse_d", "LSE-D: the least mean distance, at the best shift",
     "zoo.metrics.sync:measure_lse_d", "none", "lower", _DISTANCES, "clip", _CHUNG),
    ("sync.in_place", "the mean distance at no shift", "zoo.metrics.sync:measure_in_place", "none",
     "lower", _DISTANCES, "clip",
     "this project"),
)  # fmt: skip

_SAID = ("transcript", "recognised")
_VOICE: tuple[Row, ...] = (
    ("voice_wer", "word error rate of the sound, by Whisper tiny.en: no lip reading, which is what "
     "the WER of Das et al. and Vougioukas et al. is", "zoo.metrics.error_rates:measure_voice_wer",
     "share", "lower", _SAID, "clip", "this project; judge: Radford et al., ICML 2023"),
    ("voice_cer", "character error rate of the sound, by the same judge",
     "zoo.metrics.error_rates:measure_voice_cer", "share", "lower", _SAID, "clip",
     "this project; judge: Radford et al., ICML 2023"),
)  # fmt: skip

ROWS = (
    *_PICTURES,
    *_LANDMARKS,
    *_COEFFICIENTS,
    *_BLINKS,
    *_HEAD_AND_SOUND,
    *_THEVAL_ROWS,
    *_IDENTITY,
    *_SYNC,
    *_VOICE,
)
"""In the order in which tables show them; a judge with weights brings a tuple of its own."""
