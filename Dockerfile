# docker build -t ttk . && docker run --rm --user $(id -u):$(id -g) -v "$PWD:/data" ttk ingest videos --out dataset
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends libegl1 libgl1 libglib2.0-0 libgomp1 && rm -rf /var/lib/apt/lists/*
WORKDIR /ttk
COPY . .
RUN pip install --no-cache-dir torch==2.13.0 -c constraints.txt && pip install --no-cache-dir ".[sample]" -c constraints.txt
ENV HOME=/tmp
WORKDIR /data
ENTRYPOINT ["ttk"]
CMD ["--help"]
