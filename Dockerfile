# Realingo on a CPU.    docker build -t realingo .
# docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" realingo search study.toml
FROM python:3.12-slim

WORKDIR /opt/realingo
COPY pyproject.toml setup.py constraints.txt README.md LICENSE realingo.py ./
COPY selector selector
COPY realign realign
COPY search search
RUN pip install --no-cache-dir -c constraints.txt --extra-index-url https://download.pytorch.org/whl/cpu '.[dashboard,plot,postgres]'

RUN useradd --create-home realingo && install -d -o realingo /work
USER realingo
WORKDIR /work
ENTRYPOINT ["realingo"]
CMD ["--help"]
